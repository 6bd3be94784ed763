// SPDX-License-Identifier: Apache-2.0
// Calls that are errors in this project, each with what to use instead. Force-included into every
// source of ours; tests/tidy checks the rest by name.
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat sprintf vsprintf strtok gets   // use sbuf or arena_fmt
#pragma GCC poison atoi atol atof                               // use str_to_i64
#pragma GCC poison localtime gmtime ctime asctime mktime        // use base/time and sched/zone
#pragma GCC poison mktemp tmpnam tempnam                        // use mkstemp

#endif
