// SPDX-License-Identifier: Apache-2.0
// Passwords that guessers try first: long enough by the rules, and yet known to everybody.
#ifndef AUTH_COMMON_H
#define AUTH_COMMON_H

#include "base/str.h"

// A word of the list, whatever its case, with digits and signs around it, or written several times; a run along the
// keyboard or of one or two characters.
bool password_common(struct str password);

#endif
