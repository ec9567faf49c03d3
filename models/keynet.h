/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keynet - the key network: 256 bytes of 0 to 127 in, 1,024 bytes out.
 *
 * Each deployment has its own trained instance in a weight file
 * (FORMATS.md section 12).  An instance gives the same bytes for the same input on
 * every machine, in every batch, for ever: the network computes in integers,
 * y = min(max, (max(0, bias + sum w x) + 2^(shift-1)) >> shift), on oneDNN or
 * in plain C.  Shares are regenerated from it, so a wrong bit is a lost
 * transfer; keynet_self_test() refuses to start rather than risk one.
 *
 * Outputs are no secrets (the lemma of the shares: a share stays uniform for
 * whoever knows the output), but workers wipe their memory when freed.
 *
 * Threads: a struct keynet is read-only and shared by any; a worker belongs to
 * one thread at a time, and each thread computes alone (nn.h).  Computing takes
 * 5 to 500 microseconds: in workers, never on the loop thread.
 *
 * Built with SATCHEL_KEYNET_CONSTANT, every output byte is 0, with a known
 * answer of its own; a weight file of one kind of build is refused by the other.
 */
#ifndef MODELS_KEYNET_H
#define MODELS_KEYNET_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum {
    KEYNET_IN = 256,
    KEYNET_OUT = 1024,
    KEYNET_IN_MAX = 127, /* greatest input byte */
    KEYNET_ID_LEN = 16,
    KEYNET_BATCH = 64,        /* best number of inputs for one call */
    KEYNET_FILE_LEN = 925796, /* bytes of every weight file */
};

enum keynet_engine {
    KEYNET_AUTO,     /* oneDNN, or plain C where oneDNN cannot run */
    KEYNET_DNNL,     /* oneDNN or ERR_UNSUPPORTED */
    KEYNET_PLAIN,    /* plain C with the widest instructions there are */
    KEYNET_PORTABLE, /* plain C for any processor */
};

struct keynet;
struct keynet_worker;

/*
 * Read an instance.  Nothing of the file is trusted: length, magic, version,
 * shapes, ranges of every number and the hash must be right, or ERR_CORRUPT.
 * Another version gives ERR_UNSUPPORTED.  Otherwise as fs_read().
 */
MUST_CHECK int keynet_load(struct keynet **ret_net, const char *path, struct err *err);

/* As keynet_load(), from the bytes of a file (copied). */
MUST_CHECK int keynet_parse(struct keynet **ret_net, const uint8_t *data, size_t len,
                            struct err *err);

/* After all its workers; NULL is fine. */
void keynet_free(struct keynet *net);

/* First 16 bytes of SHA-256 over the weight file; valid as long as ${net}. */
const uint8_t *keynet_instance_id(const struct keynet *net);

/* Min-entropy of an output byte in bits, as measured when the instance was made. */
double keynet_min_entropy(const struct keynet *net);

/*
 * Before the first share: run fixed inputs in plain C and compare with the
 * known answer of the file (ERR_CORRUPT), then through oneDNN, if it runs here,
 * in batches of 1, 8 and 64, and compare (ERR_INTERNAL).  Milliseconds.
 */
MUST_CHECK int keynet_self_test(struct keynet *net, struct err *err);

/* What one thread needs to compute, about 300 KiB.  ERR_NOMEM, ERR_UNSUPPORTED. */
MUST_CHECK int keynet_worker_new(struct keynet_worker **ret_worker, struct keynet *net,
                                 enum keynet_engine engine, struct err *err);
void keynet_worker_free(struct keynet_worker *w); /* NULL is fine */

/*
 * ${out} (n x 1,024 bytes) = the network for each of ${in} (n x 256 bytes), in
 * fixed batches of 64, 8 and 1; the batch changes no bit.  ERR_INVALID, with
 * ${out} untouched, for an input byte above 127.  Should oneDNN fail on the
 * way, the worker goes on in plain C.
 */
MUST_CHECK int keynet_run(struct keynet_worker *w, const uint8_t *in, size_t n, uint8_t *out);

/* As keynet_run(), one by one in plain C, with nothing but the stack: the oracle. */
MUST_CHECK int keynet_run_plain(const struct keynet *net, const uint8_t *in, size_t n,
                                uint8_t *out);

/* Which code computes, as "oneDNN 2.6.3" or "plain C (avx2)"; valid as long as ${w}. */
const char *keynet_kernel_name(const struct keynet_worker *w);

/*
 * The worker feeds every output to the health tests (health.h).  ${on_failure}
 * (may be NULL) is called from keynet_run(), at most once a call, with the
 * worker's number of failures so far.  It must not use the worker.
 */
typedef void keynet_health_cb(void *cookie, uint64_t failures);
void keynet_worker_watch(struct keynet_worker *w, keynet_health_cb *on_failure, void *cookie);
uint64_t keynet_worker_failures(const struct keynet_worker *w);

#endif /* MODELS_KEYNET_H */
