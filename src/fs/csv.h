// SPDX-License-Identifier: Apache-2.0
// Comma-separated values (RFC 4180), record by record from a file, in bounded memory.
//
// Read leniently where the RFC is silent: LF or CRLF, any single-byte delimiter, a byte-order mark in front.
// A quote inside a bare field is text. Written strictly: quoted only where needed, CRLF only when asked for.
#ifndef FS_CSV_H
#define FS_CSV_H

#include "fs/fresh.h"

enum { CSV_RECORD_MAX = 1024 * 1024, CSV_FIELDS_MAX = 4096 };

struct csv_reader;

// fd stays the caller's and is read from its start. Owner: caller, csv_reader_free.
struct csv_reader *csv_reader_new(int fd, char delimiter, struct str shown);
void csv_reader_free(struct csv_reader *r);
// The next record; its fields hold until the next call. *ret_end instead of one at the end. Lines without a
// character are left out. ERR_INVALID names the line of a record that is not closed or too long.
bool csv_read(struct csv_reader *r, struct strs *ret, bool *ret_end, struct err *err)
    __attribute__((warn_unused_result));
int64_t csv_line(const struct csv_reader *r); // of the file, from 1, where the last record began

struct csv_writer;

// Puts what it is given into a file, in blocks. Owner: caller, csv_writer_free.
struct csv_writer *csv_writer_new(struct fresh *to, char delimiter, bool crlf);
void csv_writer_free(struct csv_writer *w);
bool csv_write(struct csv_writer *w, const struct strs *record, struct err *err)
    __attribute__((warn_unused_result));
bool csv_flush(struct csv_writer *w, struct err *err) __attribute__((warn_unused_result));

#endif
