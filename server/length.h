/* SPDX-License-Identifier: Apache-2.0 */
/*
 * length - padded plaintext and sealed pieces: one length from the other
 * (FORMATS.md section 9).  Pure.  Threads: any.
 */
#ifndef SERVER_LENGTH_H
#define SERVER_LENGTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of all sealed pieces of a body of ${plain} padded bytes, below HEADER_BODY_MAX. */
uint64_t length_sealed(uint64_t plain);

/* The other way; false: no body has this many sealed bytes. */
bool length_from_sealed(uint64_t sealed, uint64_t *ret_plain);

/* Can a piece, the last one of its body or not, have this many sealed bytes? */
bool length_is_piece(size_t sealed);

#endif /* SERVER_LENGTH_H */
