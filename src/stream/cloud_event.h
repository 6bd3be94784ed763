// SPDX-License-Identifier: Apache-2.0
// An event of the outbox as others read it: CloudEvents 1.0, structured mode, JSON.
//
// `id` names the change, not the row: the same run reaching the same state, or the same version of a job, has the same
// id however often and from whatever copy of the store it is sent, so that readers can drop repetitions.
#ifndef STREAM_CLOUD_EVENT_H
#define STREAM_CLOUD_EVENT_H

#include "base/sbuf.h"
#include "model/outbox.h"

enum { CLOUD_EVENT_MAX = 32 * 1024 }; // bytes; an error message with every character escaped fits
#define CLOUD_EVENT_CONTENT_TYPE "application/cloudevents+json; charset=UTF-8"

// Appends the document; source: "/chronos/<name of the installation>".
void cloud_event_write(const struct outbox_event *e, struct str source, struct sbuf *out);

#endif
