/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hpke - HPKE base mode (RFC 9180) with DHKEM(X25519, HKDF-SHA256) 0x0020,
 * HKDF-SHA512 0x0003 and AES-256-GCM 0x0002.
 *
 * The sender gives the ephemeral key's input, 32 hedged bytes, fresh for each
 * encapsulation: the same input twice gives the same keys twice.
 *
 * Errors: ERR_INTEGRITY (a public key of small order; on opening also wrong key
 * or damage), ERR_INVALID, ERR_NOMEM, ERR_INTERNAL.  Threads: any; one struct
 * hpke from one thread at a time.  Never blocks.
 */
#ifndef COMMON_CRYPTO_HPKE_H
#define COMMON_CRYPTO_HPKE_H

#include "common/crypto/gcm.h"
#include "common/crypto/part.h"
#include "common/crypto/x25519.h"
#include "common/err.h"

enum {
    HPKE_KEY_LEN = X25519_LEN,
    HPKE_ENC_LEN = X25519_LEN,
    HPKE_IKM_LEN = 32,
    HPKE_EXPORT_MAX = 255 * 64,
    HPKE_EXPORT_CONTEXT_MAX = 16384,
    HPKE_AES_256_GCM = 0x0002
};

/* The context of one encapsulation.  Zero-initialised is empty; free with hpke_free(). */
struct hpke {
    struct secret kept; /* exporter secret, and what key and nonce are derived from */
    uint16_t aead;
};

/* What an encapsulation gives before it is known what for.  Zero-initialised is empty. */
struct hpke_kem {
    uint8_t enc[HPKE_ENC_LEN];
    struct secret shared; /* wipe with secret_free() */
};

/* DeriveKeyPair of section 7.1.3; ${ikm} has at least 32 bytes (else ERR_INVALID). */
MUST_CHECK int hpke_keypair(struct part ikm, uint8_t ret_private[HPKE_KEY_LEN],
                            uint8_t ret_public[HPKE_KEY_LEN]);

/* SetupBaseS: a context for the owner of ${public_key}, and ${ret_enc} to send along. */
MUST_CHECK int hpke_encap(struct hpke *ret_h, uint8_t ret_enc[HPKE_ENC_LEN],
                          const uint8_t public_key[HPKE_KEY_LEN], struct part info,
                          const uint8_t ikm[HPKE_IKM_LEN]);

/*
 * SetupBaseS in two steps, for whoever has time between them: Encap, where all work with curves is,
 * and KeySchedule.  A struct hpke_kem is for one context: two would share its secret.
 */
MUST_CHECK int hpke_kem_new(struct hpke_kem *ret, const uint8_t public_key[HPKE_KEY_LEN],
                            const uint8_t ikm[HPKE_IKM_LEN]);
MUST_CHECK int hpke_setup(struct hpke *ret_h, const struct hpke_kem *k, struct part info);

/* SetupBaseR: the same context from ${enc}. */
MUST_CHECK int hpke_decap(struct hpke *ret_h, const uint8_t enc[HPKE_ENC_LEN],
                          const uint8_t private_key[HPKE_KEY_LEN], struct part info);

/*
 * As hpke_decap() under another AEAD's identifier (0xFFFF: export only).  Such
 * a context can export; hpke_seal() and hpke_open() give ERR_UNSUPPORTED.
 */
MUST_CHECK int hpke_decap_for(struct hpke *ret_h, uint16_t aead, const uint8_t enc[HPKE_ENC_LEN],
                              const uint8_t private_key[HPKE_KEY_LEN], struct part info);

/* Wipe the context; NULL is fine. */
void hpke_free(struct hpke *h);

/* Message number ${seq} of the context; sizes as gcm_seal() and gcm_open(). */
MUST_CHECK int hpke_seal(const struct hpke *h, uint64_t seq, struct part aad, struct part in,
                         uint8_t *out);
MUST_CHECK int hpke_open(const struct hpke *h, uint64_t seq, struct part aad, struct part in,
                         uint8_t *out);

/* Export of section 5.3, as hkdf_expand(); ${len} is 1 to HPKE_EXPORT_MAX. */
MUST_CHECK int hpke_export(const struct hpke *h, struct part context, uint8_t *out, size_t len);

#endif /* COMMON_CRYPTO_HPKE_H */
