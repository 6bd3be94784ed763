// SPDX-License-Identifier: Apache-2.0
// The nouns of the command line; each is defined in the file of its name. To add one: its file, a line here,
// a line in cli.c.
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/client.h"
#include "cli/command.h"

extern const struct cli_command command_server, command_audit, command_job, command_run, command_dlq,
    command_secret, command_user, command_apikey, command_team, command_breaker, command_notification,
    command_feature, command_node, command_schedule, command_login, command_logout, command_whoami,
    command_admin, command_setup_link, command_db, command_config, command_doctor, command_healthcheck,
    command_version, command_help;

#endif
