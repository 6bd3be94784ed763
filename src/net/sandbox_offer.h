// SPDX-License-Identifier: Apache-2.0
// What this machine offers for the sandbox of scripts; for `doctor`. Looks only.
#ifndef NET_SANDBOX_OFFER_H
#define NET_SANDBOX_OFFER_H

#include <stdbool.h>

struct sandbox_offer {
    int landlock; // version of its interface, 0: none
    bool seccomp;
    bool openat2;   // files below folders are opened without a race (fs/root.h)
    bool processes; // a control group that counts processes can be made
    bool memory;    // one that bounds memory
    int cgroup;     // version of control groups that offers these, 0: none
};
void sandbox_look(struct sandbox_offer *ret);

#endif
