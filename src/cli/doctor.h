// SPDX-License-Identifier: Apache-2.0
// Parts of `doctor`, private to it.
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "cli/client.h"

struct checkup {
    struct cli *cli;
    cli_check_fn check; // with the checkup as ctx
    json_t *json;       // array of findings
    struct config config;
    bool config_ok, failed;
};

// Does a server answer, is its clock ours, else is the port free; is the address public without TLS.
void doctor_server(struct checkup *d);
// Data folder, disk, key files, open files, zone data, clock.
void doctor_machine(struct checkup *d);

#endif
