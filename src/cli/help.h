// SPDX-License-Identifier: Apache-2.0
// Help from the same tables that the dispatcher runs by.
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/command.h"

// Help of the program (command NULL), of a noun (verb NULL) or of one verb: examples first.
void help_print(FILE *to, const struct cli_command *command, const struct cli_verb *verb);

#endif
