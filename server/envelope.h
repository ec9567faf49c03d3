/* SPDX-License-Identifier: Apache-2.0 */
/*
 * envelope - our error codes in the words of the protocol (PROTOCOL.md section 5),
 * and envelopes as bytes.
 *
 * Threads: any.  Never blocks.
 */
#ifndef SERVER_ENVELOPE_H
#define SERVER_ENVELOPE_H

#include <stdbool.h>

#include <proto/satchel.pb-c.h>

#include "common/buf.h"
#include "common/err.h"

enum { ENVELOPE_MESSAGE_MAX = 400 }; /* bytes of an error's message */

/* The wire's code for one of ours.  Missing and forbidden are one code already. */
Satchel__Code envelope_code(int code);

/* May the same request succeed later? */
bool envelope_retry(Satchel__Code code);

/* The words for ${code} where a handler has none of its own; never NULL. */
const char *envelope_message(Satchel__Code code);

/* Append the serialised envelope.  ERR_NOMEM; ERR_TOOLARGE: more than a frame's head may have. */
MUST_CHECK int envelope_pack(const Satchel__Envelope *env, struct buf *out, struct err *err);

/*
 * NULL: not a protobuf Envelope, one that takes much more memory than its length (empty and
 * unknown fields do), or out of memory.  ${ret_bytes}: what it takes.  Free with
 * satchel__envelope__free_unpacked().
 */
Satchel__Envelope *envelope_unpack(const uint8_t *data, size_t len, size_t *ret_bytes);

/* Wipe the one-time password that a request brings.  True: there was one. */
bool envelope_wipe(Satchel__Envelope *env);

#endif /* SERVER_ENVELOPE_H */
