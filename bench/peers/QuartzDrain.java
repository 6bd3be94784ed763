// SPDX-License-Identifier: Apache-2.0
// Drain of one-shot no-op triggers by Quartz on MariaDB, clustered, in its tuned set-up: triggers acquired in batches of
// 100 under the lock, 20 threads. All triggers, of one job, are stored and due before the clock starts. Prints one JSON line.
//
//   JDBC_URL=jdbc:mariadb://… JDBC_USER=… JDBC_PASSWORD=… java -cp … QuartzDrain COUNT

import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.Date;
import java.util.HashSet;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.quartz.Job;
import org.quartz.JobBuilder;
import org.quartz.JobDetail;
import org.quartz.JobExecutionContext;
import org.quartz.Scheduler;
import org.quartz.Trigger;
import org.quartz.TriggerBuilder;
import org.quartz.impl.StdSchedulerFactory;

public class QuartzDrain {
    static final AtomicInteger ran = new AtomicInteger();
    static final AtomicLong first = new AtomicLong();
    static final int BULK = 1000, LOOK_MS = 5, GIVE_UP_SECONDS = 600;

    public static class Noop implements Job {
        @Override
        public void execute(JobExecutionContext context) {
            first.compareAndSet(0, System.nanoTime());
            ran.incrementAndGet();
        }
    }

    static Connection connect() throws Exception {
        return DriverManager.getConnection(System.getenv("JDBC_URL"), System.getenv("JDBC_USER"), System.getenv("JDBC_PASSWORD"));
    }

    // The tables come out of the library itself; its script drops earlier ones.
    static void makeTables() throws Exception {
        String script;
        try (InputStream in = Scheduler.class.getResourceAsStream("/org/quartz/impl/jdbcjobstore/tables_mysql_innodb.sql")) {
            script = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
        StringBuilder plain = new StringBuilder();
        for (String line : script.split("\n"))
            if (!line.startsWith("#") && !line.startsWith("--"))
                plain.append(line).append('\n');
        try (Connection c = connect(); Statement s = c.createStatement()) {
            for (String one : plain.toString().split(";"))
                if (!one.isBlank() && !one.trim().equalsIgnoreCase("commit"))
                    s.execute(one);
        }
    }

    static Properties settings() {
        Properties p = new Properties();
        p.put("org.quartz.scheduler.instanceName", "drain");
        p.put("org.quartz.scheduler.instanceId", "AUTO");
        p.put("org.quartz.scheduler.skipUpdateCheck", "true");
        p.put("org.quartz.scheduler.batchTriggerAcquisitionMaxCount", "100");
        p.put("org.quartz.scheduler.idleWaitTime", "1000");
        p.put("org.quartz.threadPool.class", "org.quartz.simpl.SimpleThreadPool");
        p.put("org.quartz.threadPool.threadCount", "20");
        p.put("org.quartz.jobStore.class", "org.quartz.impl.jdbcjobstore.JobStoreTX");
        p.put("org.quartz.jobStore.driverDelegateClass", "org.quartz.impl.jdbcjobstore.StdJDBCDelegate");
        p.put("org.quartz.jobStore.isClustered", "true");
        p.put("org.quartz.jobStore.acquireTriggersWithinLock", "true");
        p.put("org.quartz.jobStore.misfireThreshold", "3600000");
        p.put("org.quartz.jobStore.dataSource", "store");
        p.put("org.quartz.dataSource.store.provider", "hikaricp");
        p.put("org.quartz.dataSource.store.driver", "org.mariadb.jdbc.Driver");
        p.put("org.quartz.dataSource.store.URL", System.getenv("JDBC_URL"));
        p.put("org.quartz.dataSource.store.user", System.getenv("JDBC_USER"));
        p.put("org.quartz.dataSource.store.password", System.getenv("JDBC_PASSWORD"));
        p.put("org.quartz.dataSource.store.maxConnections", "25");
        return p;
    }

    // All triggers belong to one job that stays, which is the least work for it.
    static void fill(Scheduler scheduler, int count) throws Exception {
        JobDetail job = JobBuilder.newJob(Noop.class).withIdentity("noop").storeDurably().build();
        Date due = new Date();
        for (int from = 0; from < count; from += BULK) {
            Set<Trigger> some = new HashSet<>();
            for (int i = from; i < Math.min(from + BULK, count); i++)
                some.add(TriggerBuilder.newTrigger().withIdentity("t" + i).forJob(job).startAt(due).build());
            scheduler.scheduleJobs(Map.of(job, some), true);
        }
    }

    public static void main(String[] args) throws Exception {
        int count = Integer.parseInt(args[0]);
        makeTables();
        Scheduler scheduler = new StdSchedulerFactory(settings()).getScheduler();
        fill(scheduler, count);
        long begun = System.nanoTime();
        scheduler.start();
        try (Connection c = connect(); Statement s = c.createStatement()) {
            long left = count;
            while (ran.get() < count || left > 0) {
                Thread.sleep(LOOK_MS);
                if (System.nanoTime() - begun > GIVE_UP_SECONDS * 1e9)
                    throw new IllegalStateException(ran.get() + " of " + count + " ran, " + left + " are left");
                if (ran.get() < count)
                    continue;
                try (ResultSet r = s.executeQuery("SELECT (SELECT COUNT(*) FROM QRTZ_TRIGGERS) + (SELECT COUNT(*) FROM QRTZ_FIRED_TRIGGERS)")) {
                    r.next();
                    left = r.getLong(1);
                }
            }
        }
        double seconds = (System.nanoTime() - first.get()) / 1e9;
        scheduler.shutdown(true);
        System.out.printf("{\"peer\": \"quartz\", \"version\": \"%s\", \"jobs\": %d, \"ran\": %d, \"runs_per_s\": %d}%n",
            scheduler.getMetaData().getVersion(), count, ran.get(), Math.round(count / seconds));
        System.exit(0);
    }
}
