// SPDX-License-Identifier: Apache-2.0
// One binary: the server, its command line, and (as `chronos --spawner`, started by the server) the
// small process that starts scripts.
#include "admin.h"
#include "net/spawner.h"
#include "server.h"

static const struct cli_hooks hooks = {
    .server = server_main,
    .admin_create = admin_create,
    .admin_reset_password = admin_reset_password,
    .forget_secrets = admin_forget_secrets,
    .rotate_key = admin_rotate_key,
    .audit_verify = admin_audit_verify,
    .forget_key = admin_forget_key,
    .db_migrate = admin_db_migrate,
    .db_check = admin_db_check,
    .db_copy = admin_db_copy,
    .setup_link = admin_setup_link,
    .doctor = admin_doctor,
    .version = CHRONOS_VERSION,
};

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--spawner") == 0)
        return spawner_main(SPAWNER_FD);
    return cli_main(argc, argv, &hooks);
}
