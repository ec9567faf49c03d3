/* SPDX-License-Identifier: Apache-2.0 */
/*
 * room - a disk that is full: how it is told, and what can be done.
 *
 * Threads: any.
 */
#ifndef CLIENT_LOCAL_ROOM_H
#define CLIENT_LOCAL_ROOM_H

#include <stdint.h>

#include "common/err.h"

/* ERR_IO, always: ${shown} needs ${needs} bytes, and its disk has ${left} of them. */
int room_missing(const char *shown, uint64_t needs, uint64_t left, struct err *err);

/* Say what can be done, if ${errnum}, of which ${err} tells, means that the disk is full. */
void room_hint(int errnum, struct err *err);

#endif /* CLIENT_LOCAL_ROOM_H */
