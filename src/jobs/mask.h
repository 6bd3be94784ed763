// SPDX-License-Identifier: Apache-2.0
// Hides the secrets of one attempt in what it says: each is replaced by "***", also when it is percent-encoded, escaped
// as in JSON, C or HTML, written in hex or inside base64 at any place.
//
// A text may be one piece of a longer one: the beginning of a secret at its end is hidden from MASK_PART_MIN characters
// on, and the rest of it at the beginning of the next text of the same stream always. A secret of several lines is
// also hidden line by line. Thread-safe. An attempt without secrets has no mask and pays nothing.
#ifndef JOBS_MASK_H
#define JOBS_MASK_H

#include "base/sbuf.h"

enum { MASK_STREAMS = 4, MASK_PART_MIN = 4, MASK_SECRETS_MAX = 64 };

struct mask;

struct mask *mask_new(void);
// Wipes what it knows. NULL is fine.
void mask_free(struct mask *m);
// False: there are MASK_SECRETS_MAX already. One that is there already counts once.
bool mask_add(struct mask *m, struct str secret) __attribute__((warn_unused_result));
// The text itself when it holds none, else a text in *scratch, which the caller has initialised and releases. stream:
// below MASK_STREAMS for texts that follow each other, −1 for one that stands alone.
struct str mask_text(struct mask *m, int stream, struct str text, struct sbuf *scratch);

#endif
