// SPDX-License-Identifier: Apache-2.0
// The forms in which a secret may appear in a text, and matching one of them at a place.
#ifndef JOBS_MASK_FORM_H
#define JOBS_MASK_FORM_H

#include "base/str.h"

enum form_kind {
    FORM_PLAIN,  // as it is, or with any characters percent-encoded, escaped or as an HTML entity
    FORM_HEX,    // two digits a byte, perhaps with a separator between
    FORM_BASE64, // characters that only the secret decides; of either alphabet, perhaps in several lines
};
struct form {
    enum form_kind kind;
    struct str bytes;
};

enum { FORM_NONE, FORM_PART, FORM_WHOLE };
// Whether the form stands at the beginning of the text. FORM_WHOLE: *ret_n of the text belong to it. FORM_PART: the
// text ends before the form does; so many bytes of the form were there: *ret_n. *steps counts up by the work done.
int form_match(const struct form *f, struct str text, size_t *ret_n, size_t *steps);
// Whether a form may begin with this character.
bool form_begins(const struct form *f, char c);

#endif
