/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_bio - what OpenSSL reads from and writes to: input that lies where the
 * network put it, output appended to a buffer.  OpenSSL's memory BIO copies
 * its input and keeps its peak size; this one holds nothing of its own.
 *
 * Threads: one at a time for each object.
 */
#ifndef COMMON_NET_TLS_BIO_H
#define COMMON_NET_TLS_BIO_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/bio.h>

#include "common/buf.h"

/* Embedded by the engine, which must outlive the BIO. */
struct tls_bio {
    const uint8_t *in; /* borrowed */
    size_t in_len;
    struct buf out;
};

/* A BIO over ${t}; NULL when out of memory.  An empty input means "try again", never "end". */
BIO *tls_bio_new(struct tls_bio *t);

#endif /* COMMON_NET_TLS_BIO_H */
