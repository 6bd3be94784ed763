# SPDX-License-Identifier: Apache-2.0
"""MESSAGE_QUEUE on real brokers: each operation with its effect as another client sees it, each way to fail, and the
end of every wait when a run is cancelled."""
import json
import pathlib
import subprocess
import time

import pytest

import kafka
import rabbitmq
import redis
from attempts import attempt, begin, end, output, refused
from chronos import BINARY, SLOW, Server, free_port, wait_until
from silent import Silent

TOOL = pathlib.Path(BINARY).parent / "tests/stream/kafka_tool"
CANCEL_SECONDS = 2  # a second for the run, the rest for the machine


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("mq") / "server").start()
    made.login()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def rabbit():
    with rabbitmq.Server() as made:
        yield made


@pytest.fixture(scope="module")
def store():
    with redis.Server() as made:
        yield made


@pytest.fixture(scope="module")
def broker():
    if "libtsan" in subprocess.run(["ldd", BINARY], capture_output=True, text=True).stdout:
        pytest.skip("threads of librdkafka cannot run under the thread sanitizer")
    try:
        made = kafka.Server()
    except kafka.Unavailable as why:
        pytest.skip(f"no real Kafka: {why}")
    yield made.start()
    made.close()


def queue(server, operation, name, config, seconds=40, **payload):
    return attempt(server, "MESSAGE_QUEUE", {"operationType": operation, "queueName": name, "queueConfig": config,
                                             **payload}, seconds=seconds)


def succeeded(run):
    assert run["status"] == "SUCCEEDED", (run.get("errorClass"), run.get("errorMessage"), run["lines"])
    return run


def failed(run, error_class, code=None):
    assert run["status"] in ("FAILED", "TIMED_OUT"), run
    assert run["errorClass"] == error_class and (code or "") in run["errorMessage"], run
    return run["errorMessage"]


def said(run):
    return output(run, "system")


def of_rabbit(rabbit, **more):
    return {"type": "RABBITMQ", "host": "127.0.0.1", "port": rabbit.port, "username": rabbitmq.USER,
            "password": rabbitmq.PASSWORD, "waitSeconds": 1, **more}


def of_redis(store, **more):
    return {"type": "REDIS", "host": "127.0.0.1", "port": store.port, "password": redis.ADMIN, "waitSeconds": 0, **more}


def of_kafka(broker, **more):
    return {"type": "KAFKA", "bootstrapServers": broker.brokers, "waitSeconds": 1, **more}


def cancel(server, run_id):
    """Ends a run; how long that took."""
    began = time.monotonic()
    assert server.call("POST", f"/runs/{run_id}:cancel").status in (200, 202)
    run = end(server, run_id)
    assert run["status"] == "CANCELLED", run
    return time.monotonic() - began


# ---- RabbitMQ ----

def test_rabbitmq_takes_a_message_with_all_its_properties(server, rabbit):
    rabbit.declare("orders", **{"x-max-priority": 10})
    run = succeeded(queue(server, "PRODUCE", "orders", of_rabbit(rabbit), messageBody='{"id":7}', messageGroupId="eu",
                          messageDeduplicationId="order-7", messageAttributes={"kind": "new"},
                          headers={"Content-Type": "application/vnd.order"}, priority=5, timeToLiveSeconds=600))
    (message,) = rabbit.look("orders")
    properties = message["properties"]
    assert message["payload"] == '{"id":7}'
    assert properties["message_id"] == "order-7" and properties["priority"] == 5
    assert properties["expiration"] == "600000" and properties["delivery_mode"] == 2
    assert properties["content_type"] == "application/vnd.order"
    assert properties["headers"]["kind"] == "new" and properties["headers"]["messageGroupId"] == "eu"
    assert properties["headers"]["Chronos-Run-Key"] == run["runKey"]
    assert any("confirmed" in line for line in said(run))


def test_rabbitmq_routes_by_exchange_and_key(server, rabbit):
    rabbit.declare("audit")
    rabbit.ask("PUT", "exchanges/%2F/events", {"type": "topic", "durable": True})
    rabbit.ask("POST", "bindings/%2F/e/events/q/audit", {"routing_key": "user.*"})
    succeeded(queue(server, "PRODUCE", "audit", of_rabbit(rabbit), messageBody="x", exchange="events",
                    routingKey="user.created", persistent=False))
    (message,) = rabbit.look("audit")
    assert message["exchange"] == "events" and message["routing_key"] == "user.created"
    assert message["properties"]["delivery_mode"] == 1
    lost = queue(server, "PRODUCE", "audit", of_rabbit(rabbit), messageBody="x", exchange="events", routingKey="other")
    assert "routing key" in failed(lost, "BROKER_ERROR", "NO_ROUTE")


def test_rabbitmq_consumes_what_was_asked_for_and_no_more(server, rabbit):
    rabbit.declare("inbox")
    for i in range(5):
        rabbit.put("inbox", f"body {i}", message_id=f"m{i}", headers={"n": i})
    run = succeeded(queue(server, "CONSUME", "inbox", of_rabbit(rabbit), batchSize=3))
    assert output(run) == ["body 0", "body 1", "body 2"]
    assert [line["context"]["headers"] for line in run["lines"][:3]] == [{"n": "0"}, {"n": "1"}, {"n": "2"}]
    assert said(run) == ["3 messages consumed, 2 left"]
    left = rabbit.look("inbox")
    assert [(m["payload"], m["redelivered"]) for m in left] == [("body 3", False), ("body 4", False)]
    succeeded(queue(server, "CONSUME", "inbox", of_rabbit(rabbit)))
    assert rabbit.look("inbox") == []


def test_rabbitmq_moves_dead_letters_back_with_their_properties(server, rabbit):
    rabbit.declare("work")
    rabbit.declare("work.dead")
    for i in range(4):
        rabbit.put("work.dead", f"body {i}", message_id=f"m{i}", priority=3, headers={"why": "late"})
    run = succeeded(queue(server, "MOVE_DLQ", "work", of_rabbit(rabbit, deadLetterQueue="work.dead"), batchSize=3))
    assert any("3 messages moved" in line for line in said(run))
    moved = rabbit.look("work")
    assert [m["payload"] for m in moved] == ["body 0", "body 1", "body 2"]
    assert moved[0]["properties"]["message_id"] == "m0" and moved[0]["properties"]["headers"] == {"why": "late"}
    assert [m["payload"] for m in rabbit.look("work.dead")] == ["body 3"]


def test_rabbitmq_purges(server, rabbit):
    rabbit.declare("heap")
    for i in range(3):
        rabbit.put("heap", "x")
    assert "3 messages removed" in said(succeeded(queue(server, "PURGE", "heap", of_rabbit(rabbit))))[-1]
    assert rabbit.look("heap") == []


def test_rabbitmq_full_queue_refuses(server, rabbit):
    config = of_rabbit(rabbit, createQueue=True, maxLength=1, overflow="reject-publish")
    succeeded(queue(server, "PRODUCE", "small", config, messageBody="first"))
    assert "refused" in failed(queue(server, "PRODUCE", "small", config, messageBody="second"), "BROKER_ERROR", "NACK")
    assert [m["payload"] for m in rabbit.look("small")] == ["first"]


def test_rabbitmq_full_disk_times_out_with_the_reason(server, rabbit):
    rabbit.declare("blocked")
    evaluate = [f"{rabbitmq.HOME}/rabbitmqctl", "-q", "set_disk_free_limit"]
    environment = {**rabbit.environment(), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    subprocess.run([*evaluate, "900000GB"], check=True, env=environment, capture_output=True)
    try:
        run = queue(server, "PRODUCE", "blocked", of_rabbit(rabbit, timeoutSeconds=2), messageBody="x")
        assert "disk" in failed(run, "TIMEOUT"), run
    finally:
        subprocess.run([*evaluate, "10MB"], check=True, env=environment, capture_output=True)


def test_rabbitmq_failures_have_their_classes(server, rabbit):
    good = of_rabbit(rabbit)
    failed(queue(server, "CONSUME", "nowhere", good), "BROKER_ERROR", "NOT_FOUND")
    failed(queue(server, "PURGE", "nowhere", good), "BROKER_ERROR", "NOT_FOUND")
    failed(queue(server, "PRODUCE", "nowhere", good, messageBody="x"), "BROKER_ERROR", "NO_ROUTE")
    text = failed(queue(server, "PURGE", "q", {**good, "password": "a-wrong-word"}), "BROKER_ERROR", "ACCESS_REFUSED")
    assert "a-wrong-word" not in text
    failed(queue(server, "PURGE", "q", {**good, "vhost": "nowhere"}), "BROKER_ERROR", "NOT_ALLOWED")
    failed(queue(server, "PURGE", "q", {**good, "port": free_port()}), "CONNECTION_ERROR")
    failed(queue(server, "PURGE", "q", {**good, "host": "169.254.169.254"}), "EGRESS_DENIED")


def test_rabbitmq_over_tls_to_whom_it_believes(server, rabbit):
    rabbit.declare("signed")
    config = of_rabbit(rabbit, host="localhost", port=rabbit.tls_port, tls=True, caFile=str(rabbit.authority))
    succeeded(queue(server, "PRODUCE", "signed", config, messageBody="x"))
    assert len(rabbit.look("signed")) == 1
    system = {key: value for key, value in config.items() if key != "caFile"}
    failed(queue(server, "PRODUCE", "signed", system, messageBody="x"), "CONNECTION_ERROR")
    failed(queue(server, "PRODUCE", "signed", {**config, "host": "127.0.0.1"}, messageBody="x"), "CONNECTION_ERROR")
    failed(queue(server, "PRODUCE", "signed", {**config, "port": rabbit.port, "timeoutSeconds": 2}, messageBody="x"),
           "CONNECTION_ERROR")


# ---- Redis streams ----

def test_redis_takes_consumes_and_acknowledges(server, store):
    run = succeeded(queue(server, "PRODUCE", "stream:a", of_redis(store), messages=["one", "two", "three"],
                          messageGroupId="g", headers={"kind": "new"}))
    entries = store.ask("XRANGE", "stream:a", "-", "+")
    assert all(text in entries.splitlines() for text in ("one", "two", "three", "kind", "new", run["runKey"]))
    run = succeeded(queue(server, "CONSUME", "stream:a", of_redis(store, group="readers"), batchSize=2))
    assert output(run) == ["one", "two"]
    assert store.ask("XPENDING", "stream:a", "readers").splitlines()[0] == "0"
    run = succeeded(queue(server, "CONSUME", "stream:a", of_redis(store, group="readers", deleteAcknowledged=True)))
    assert output(run) == ["three"]
    assert store.ask("XLEN", "stream:a") == "2"


def test_redis_takes_over_what_another_consumer_left(server, store):
    store.ask("XGROUP", "CREATE", "stream:b", "readers", "0", "MKSTREAM")
    store.ask("XADD", "stream:b", "*", "body", "lost")
    store.ask("XREADGROUP", "GROUP", "readers", "crashed", "STREAMS", "stream:b", ">")
    config = of_redis(store, group="readers")
    assert output(succeeded(queue(server, "CONSUME", "stream:b", config, visibilityTimeoutSeconds=3600))) == []
    assert output(succeeded(queue(server, "CONSUME", "stream:b", config, visibilityTimeoutSeconds=0))) == ["lost"]
    assert store.ask("XPENDING", "stream:b", "readers").splitlines()[0] == "0"


def test_redis_adds_a_deduplicated_message_once(server, store):
    for _ in range(2):
        run = succeeded(queue(server, "PRODUCE", "stream:c", of_redis(store, deduplicationSeconds=60), messageBody="x",
                              messageDeduplicationId="once"))
    assert "already" in said(run)[-1]
    assert store.ask("XLEN", "stream:c") == "1"
    assert 0 < int(store.ask("TTL", "stream:c:dedup:once")) <= 60


def test_redis_removes_old_entries_by_age_and_by_length(server, store):
    store.ask("CONFIG", "SET", "stream-node-max-entries", "1")  # a node is what "about" means
    succeeded(queue(server, "PRODUCE", "stream:e", of_redis(store), messages=["x"] * 20))
    succeeded(queue(server, "PRODUCE", "stream:e", of_redis(store, maxLength=5), messageBody="y"))
    assert int(store.ask("XLEN", "stream:e")) <= 6
    store.ask("XADD", "stream:f", "1-0", "body", "of 1970")
    store.ask("XADD", "stream:f", "2-0", "body", "of 1970")
    succeeded(queue(server, "PRODUCE", "stream:f", of_redis(store), messageBody="new", timeToLiveSeconds=60))
    assert "of 1970" not in store.ask("XRANGE", "stream:f", "-", "+")
    store.ask("CONFIG", "SET", "stream-node-max-entries", "100")


def test_redis_moves_and_purges(server, store):
    for i in range(60):
        store.ask("XADD", "stream:dead", "*", "body", f"{i}", "why", "late")
    run = succeeded(queue(server, "MOVE_DLQ", "stream:g", of_redis(store, deadLetterQueue="stream:dead"), batchSize=55))
    assert "55 messages moved" in said(run)[-1]
    assert (store.ask("XLEN", "stream:g"), store.ask("XLEN", "stream:dead")) == ("55", "5")
    assert store.ask("XRANGE", "stream:g", "-", "+", "COUNT", "1").splitlines()[1:] == ["body", "0", "why", "late"]
    assert "55 messages removed" in said(succeeded(queue(server, "PURGE", "stream:g", of_redis(store))))[-1]
    assert store.ask("XLEN", "stream:g") == "0"


def test_redis_failures_have_their_classes(server, store):
    good = of_redis(store)
    store.ask("SET", "plain", "text")
    failed(queue(server, "PRODUCE", "plain", good, messageBody="x"), "BROKER_ERROR", "WRONGTYPE")
    failed(queue(server, "CONSUME", "stream:none", good), "BROKER_ERROR", "NOT_FOUND")
    failed(queue(server, "PURGE", "stream:none", good), "BROKER_ERROR", "NOT_FOUND")
    text = failed(queue(server, "PURGE", "q", {**good, "password": "a-wrong-word"}), "BROKER_ERROR", "WRONGPASS")
    assert "a-wrong-word" not in text
    nobody = {key: value for key, value in good.items() if key != "password"}
    failed(queue(server, "PURGE", "q", nobody), "BROKER_ERROR", "NOAUTH")
    failed(queue(server, "PURGE", "q", {**good, "port": free_port()}), "CONNECTION_ERROR")
    failed(queue(server, "PURGE", "q", {**good, "host": "169.254.169.254"}), "EGRESS_DENIED")
    store.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        failed(queue(server, "PRODUCE", "stream:h", good, messageBody="x"), "BROKER_ERROR", "OOM")
    finally:
        store.ask("CONFIG", "SET", "maxmemory", "0")


# ---- Kafka ----

class Topic:
    """All messages of a topic from its beginning, as a client sees them that shares no code with ours."""

    def __init__(self, broker, topic):
        self.process = subprocess.Popen([TOOL, broker.brokers, "consume", topic], stdout=subprocess.PIPE, text=True)

    def read(self, n):
        return [json.loads(self.process.stdout.readline()) for _ in range(n)]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def put(broker, topic, *lines):
    subprocess.run([TOOL, broker.brokers, "produce", topic], input="".join(line + "\n" for line in lines), text=True,
                   check=True)


def test_kafka_takes_messages_with_key_headers_and_transaction(server, broker):
    run = succeeded(queue(server, "PRODUCE", "orders", of_kafka(broker), messageBody='{"id":7}', messageGroupId="eu",
                          messageDeduplicationId="order-7", messageAttributes={"kind": "new"}, headers={"a": "b"}))
    succeeded(queue(server, "PRODUCE", "orders", of_kafka(broker, transactionalId="job-1"), messages=["t1", "t2"],
                    messageGroupId="eu"))
    succeeded(queue(server, "PRODUCE", "orders", of_kafka(broker, acks="0", compression="gzip"), messageBody="fast",
                    messageGroupId="eu"))
    with Topic(broker, "orders") as topic:
        messages = topic.read(4)
    assert [m["value"] for m in messages] == ['{"id":7}', "t1", "t2", "fast"]
    assert {m["key"] for m in messages} == {"eu"} and len({m["partition"] for m in messages}) == 1
    headers = messages[0]["headers"]
    assert headers["kind"] == "new" and headers["a"] == "b" and headers["messageDeduplicationId"] == "order-7"
    assert headers["Chronos-Run-Key"] == run["runKey"]


def test_kafka_consumes_as_a_group_from_where_it_was(server, broker):
    put(broker, "inbox", *[f"k\tbody {i}" for i in range(5)])
    config = of_kafka(broker, group="readers")
    assert output(succeeded(queue(server, "CONSUME", "inbox", config, batchSize=3))) == ["body 0", "body 1", "body 2"]
    assert output(succeeded(queue(server, "CONSUME", "inbox", config))) == ["body 3", "body 4"]
    assert output(succeeded(queue(server, "CONSUME", "inbox", of_kafka(broker), batchSize=1))) == ["body 0"]


def test_kafka_moves_dead_letters_once(server, broker):
    put(broker, "work.dead", *[f"k\tbody {i}" for i in range(3)])
    config = of_kafka(broker, deadLetterQueue="work.dead", waitSeconds=1)
    assert "3 messages moved" in said(succeeded(queue(server, "MOVE_DLQ", "work", config)))[-1]
    with Topic(broker, "work") as topic:
        assert [m["value"] for m in topic.read(3)] == ["body 0", "body 1", "body 2"]


def test_kafka_purges(server, broker):
    put(broker, "heap", *[f"{i}\tx" for i in range(10)])
    assert "10 messages removed from 3 partitions" in said(succeeded(queue(server, "PURGE", "heap", of_kafka(broker))))[-1]
    put(broker, "heap", "k\tnew")
    with Topic(broker, "heap") as topic:
        assert [m["value"] for m in topic.read(1)] == ["new"]


def test_kafka_failures_have_their_classes(server, broker):
    good = of_kafka(broker, timeoutSeconds=5)
    failed(queue(server, "CONSUME", "nowhere", good), "KAFKA_ERROR", "UNKNOWN_TOPIC_OR_PART")
    sasl = {**good, "bootstrapServers": f"127.0.0.1:{broker.sasl_port}", "username": broker.sasl_user}
    succeeded(queue(server, "PRODUCE", "signed", {**sasl, "password": broker.sasl_password}, messageBody="x"))
    for operation, more in (("PRODUCE", {"messageBody": "x"}), ("CONSUME", {}), ("PURGE", {})):
        text = failed(queue(server, operation, "signed", {**sasl, "password": "a-wrong-word"}, **more), "KAFKA_ERROR",
                      "SASL_AUTHENTICATION_FAILED")
        assert "a-wrong-word" not in text
    for operation, more in (("PRODUCE", {"messageBody": "x"}), ("CONSUME", {}), ("PURGE", {})):
        failed(queue(server, operation, "q", {**good, "bootstrapServers": f"127.0.0.1:{free_port()}"}, **more),
               "CONNECTION_ERROR")
    failed(queue(server, "PURGE", "q", {**good, "bootstrapServers": "169.254.169.254:9092"}), "EGRESS_DENIED")


# ---- handing over to another job ----

def again(server, job):
    """One more run of a job."""
    answer = server.call("POST", f"/jobs/{job}:run-now", {})
    assert answer.status == 202, answer.body
    return end(server, answer.json["id"])


def copying(server, store, stream, body):
    """A job that adds its parameters to a stream, so that each start leaves a trace."""
    return server.create(name=f"copy-to-{stream}", type="MESSAGE_QUEUE", schedule={"scheduleType": "MANUAL"},
                         payload={"operationType": "PRODUCE", "queueName": stream, "messageBody": body,
                                  "queueConfig": of_redis(store)})["id"]


def consuming(server, queue_name, config):
    return server.create(name=f"consume-{queue_name}", type="MESSAGE_QUEUE", schedule={"scheduleType": "MANUAL"},
                         payload={"operationType": "CONSUME", "queueName": queue_name, "queueConfig": config})["id"]


def bodies(store, stream):
    lines = store.ask("XRANGE", stream, "-", "+").splitlines()
    return sorted(lines[i + 1] for i, line in enumerate(lines) if line == "body")


@pytest.mark.parametrize("name", ["store", "rabbit", "broker"])
def test_each_message_starts_a_job_once(server, store, name, request):
    target = request.getfixturevalue(name)
    config = {"rabbit": of_rabbit, "store": of_redis, "broker": of_kafka}[name](target, group="starters", waitSeconds=1)
    copies = f"copies:{name}"
    job = copying(server, store, copies, "{{param.body}} of {{param.queue}}")
    consumer = consuming(server, "handed", {**config, "startJob": job})
    succeeded(queue(server, "PRODUCE", "handed", {**config, "createQueue": True}, messages=["a", "b"]))
    succeeded(again(server, consumer))
    wait_until(lambda: bodies(store, copies) == ["a of handed", "b of handed"], what="the started jobs")
    if name == "store":  # all of it once more: nothing is started
        store.ask("XGROUP", "SETID", "handed", "starters", "0")
        assert output(succeeded(again(server, consumer))) == ["a", "b"]
        assert len(server.runs(job)) == 2


def test_a_batch_starts_one_job(server, store):
    job = copying(server, store, "copies:batch", "{{param.count}}: {{param.messages}}")
    succeeded(queue(server, "PRODUCE", "batched", of_redis(store), messages=["a", "b", "c"]))
    succeeded(queue(server, "CONSUME", "batched", of_redis(store, startJob=job, startPer="BATCH")))
    (text,) = wait_until(lambda: bodies(store, "copies:batch"), what="the started job")
    count, messages = text.split(": ", 1)
    assert count == "3" and [m["body"] for m in json.loads(messages)] == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["store", "rabbit", "broker"])
def test_what_cannot_be_handed_over_is_not_acknowledged(server, name, request):
    target = request.getfixturevalue(name)
    config = {"rabbit": of_rabbit, "store": of_redis, "broker": of_kafka}[name](target, group="g")
    succeeded(queue(server, "PRODUCE", "unhanded", {**config, "createQueue": True}, messages=["a", "b"],
                    messageGroupId="one"))
    for _ in range(2):
        nobody = queue(server, "CONSUME", "unhanded", {**config, "startJob": "01JD0000000000000000000000"})
        failed(nobody, "START_JOB_ERROR", "does not exist")
        assert output(nobody) == ["a"]
    assert output(succeeded(queue(server, "CONSUME", "unhanded", config))) == ["a", "b"]


# ---- all of them ----

def systems(port):
    return [{"type": "RABBITMQ", "host": "127.0.0.1", "port": port}, {"type": "REDIS", "host": "127.0.0.1", "port": port},
            {"type": "KAFKA", "bootstrapServers": f"127.0.0.1:{port}"},
            {"type": "RABBITMQ", "host": "127.0.0.1", "port": port, "tls": True}]


@pytest.mark.parametrize("number", range(4))
def test_a_broker_that_never_answers_times_out(server, number):
    with Silent() as silent:
        config = {**systems(silent.port)[number], "timeoutSeconds": 1}
        run = queue(server, "PRODUCE", "q", config, messageBody="x")
        assert run["status"] == "TIMED_OUT"
        failed(run, "TIMEOUT")


@pytest.mark.parametrize("number", range(4))
def test_a_run_that_waits_for_a_broker_can_be_cancelled(server, number):
    for operation in ("PRODUCE", "CONSUME", "PURGE"):
        with Silent() as silent:
            config = {**systems(silent.port)[number], "timeoutSeconds": 60}
            run = begin(server, "MESSAGE_QUEUE", {"operationType": operation, "queueName": "q", "queueConfig": config,
                                                  **({"messageBody": "x"} if operation == "PRODUCE" else {})})
            assert silent.reached.wait(20 * SLOW)
            assert cancel(server, run) < CANCEL_SECONDS * SLOW


@pytest.mark.parametrize("name", ["rabbit", "store", "broker"])
def test_a_consumer_that_waits_for_messages_can_be_cancelled(server, name, request):
    target = request.getfixturevalue(name)
    config = {"rabbit": of_rabbit, "store": of_redis, "broker": of_kafka}[name](target, waitSeconds=600)
    succeeded(queue(server, "PRODUCE", "waited", {**config, "createQueue": True}, messageBody="first"))
    run = begin(server, "MESSAGE_QUEUE", {"operationType": "CONSUME", "queueName": "waited", "queueConfig": config})
    job = server.call("GET", f"/runs/{run}").json["jobId"]
    wait_until(lambda: "first" in server.call("GET", f"/jobs/{job}/runs/{run}/logs").body.decode(), seconds=30,
               what="the first message")
    assert cancel(server, run) < CANCEL_SECONDS * SLOW


def test_a_run_takes_templates_in_its_configuration(server, store):
    run = attempt(server, "MESSAGE_QUEUE",
                  {"operationType": "PRODUCE", "queueName": "stream:{{param.region}}", "messageBody": "{{run.key}}",
                   "queueConfig": of_redis(store, port="{{param.port}}", unheard="of")},
                  parameters={"region": "eu", "port": store.port})
    assert succeeded(run)["runKey"] in store.ask("XRANGE", "stream:eu", "-", "+")
    assert any("ignored: unheard" in line for line in said(run))


@pytest.mark.parametrize("payload, pointers", [
    ({}, {"/payload/operationType", "/payload/queueName", "/payload/queueConfig"}),
    ({"operationType": "EAT", "queueName": "q", "queueConfig": {"type": "REDIS"}}, {"/payload/operationType"}),
    ({"operationType": "PRODUCE", "queueName": "q", "queueConfig": {"type": "SQS", "port": "x"}},
     {"/payload/queueConfig/type", "/payload/queueConfig/port", "/payload/messageBody"}),
    ({"operationType": "CONSUME", "queueName": "a b", "queueConfig": {"type": "KAFKA", "startJob": "nothing"}},
     {"/payload/queueConfig/bootstrapServers", "/payload/queueName", "/payload/queueConfig/startJob"}),
    ({"operationType": "PRODUCE", "queueName": "q", "messageBody": "a", "messages": ["b"],
      "queueConfig": {"type": "KAFKA", "brokers": "b:1", "acks": "0", "transactionalId": "t"}},
     {"/payload/messages", "/payload/queueConfig/acks"}),
    ({"operationType": "MOVE_DLQ", "queueName": "q", "queueConfig": {"type": "RABBITMQ"}},
     {"/payload/queueConfig/deadLetterQueue", "/payload/queueConfig/host"}),
    ({"operationType": "PRODUCE", "queueName": "q", "messageBody": "x", "headers": {"body": "x"},
      "timeToLiveSeconds": 1, "queueConfig": {"type": "REDIS", "host": "h", "tls": True, "maxLength": 1}},
     {"/payload/headers/body", "/payload/queueConfig/tls", "/payload/timeToLiveSeconds"}),
])
def test_what_cannot_work_is_refused_at_save(server, payload, pointers):
    assert set(refused(server, "MESSAGE_QUEUE", payload)) == pointers
