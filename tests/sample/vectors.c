/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sample/vectors.h"

#include "common/crypto/ed25519.h"
#include "common/crypto/hash.h"
#include "common/crypto/kdf.h"
#include "common/transfer/login.h"
#include "common/transfer/manifest_build.h"
#include "common/transfer/next_pin.h"
#include "common/transfer/safety.h"
#include "tests/sample/sample.h"
#include "tests/sample/vectors_json.h"

/* ---- identifiers ---- */

static void write_user(struct vectors_json *j, const char *name)
{
    struct sample_user u;
    char uid[IDS_UID_TEXT];

    sample_user(&u, name);
    ids_uid_to_text(&u.uid, uid);
    vectors_json_begin(j, "user");
    vectors_json_text(j, "name", name);
    vectors_json_secret(j, "identity_seed", &u.isk);
    vectors_json_hex(j, "identity_key", PART_OF(u.isk_public));
    vectors_json_secret(j, "recovery_key_seed", &u.rk);
    vectors_json_hex(j, "recovery_key", PART_OF(u.rk_public));
    vectors_json_hex(j, "user_id", PART_OF(u.uid.b));
    vectors_json_text(j, "user_id_text", uid);
    vectors_json_secret(j, "device_seed", &u.dsk);
    vectors_json_hex(j, "device_key", PART_OF(u.device.key));
    vectors_json_hex(j, "device", PART_OF(u.device.id.b));
    vectors_json_secret(j, "ek_private", &u.ek);
    vectors_json_hex(j, "ek_public", PART_OF(u.ek_public));
    vectors_json_number(j, "suite", IDS_SUITE_X25519);
    vectors_json_hex(j, "ek_id", PART_OF(u.key.id.b));
    vectors_json_end(j);
    sample_user_free(&u);
}

static void write_safety(struct vectors_json *j)
{
    struct sample_user a, b;
    char number_text[SAFETY_TEXT];

    sample_user(&a, "alice");
    sample_user(&b, "bob");
    MUST_OK(safety_number(b.first, a.first, number_text));
    vectors_json_begin(j, "safety number");
    vectors_json_hex(j, "one_user_id", PART_OF(a.uid.b));
    vectors_json_hex(j, "one_identity_key", PART_OF(a.isk_public));
    vectors_json_hex(j, "other_user_id", PART_OF(b.uid.b));
    vectors_json_hex(j, "other_identity_key", PART_OF(b.isk_public));
    vectors_json_text(j, "safety_number", number_text);
    vectors_json_end(j);
    sample_user_free(&a);
    sample_user_free(&b);
}

static void write_identifiers(struct vectors_json *j)
{
    struct server_id server;
    static const char weights[] = "a weight file";
    uint8_t key[32], rk[KDF_LEN], hash[HASH_SHA256_LEN];

    write_user(j, "alice");
    write_user(j, "bob");
    write_user(j, "carol");
    sample_bytes("server", key);
    MUST_OK(ids_server(key, &server));
    vectors_json_begin(j, "server");
    vectors_json_hex(j, "server_key", PART_OF(key));
    vectors_json_hex(j, "server_id", PART_OF(server.b));
    vectors_json_end(j);
    MUST_OK(hash_sha256(hash, weights, strlen(weights)));
    vectors_json_begin(j, "instance");
    vectors_json_hex(j, "weight_file", part_str(weights));
    vectors_json_hex(j, "instance_id", part(hash, IDS_INSTANCE_LEN));
    vectors_json_end(j);
    sample_bytes("recovery", key);
    MUST_OK(kdf_f(rk, PART_OF(key), "recovery key", NULL, 0));
    vectors_json_begin(j, "recovery");
    vectors_json_hex(j, "recovery_seed", PART_OF(key));
    vectors_json_hex(j, "recovery_key_seed", PART_OF(rk));
    vectors_json_end(j);
    write_safety(j);
}

/* ---- manifests ---- */

static void write_manifest(struct vectors_json *j, const char *what, const struct manifest *m,
                           const struct secret *identity)
{
    struct hash32 known;

    MUST_OK(manifest_digest(m, &known));
    vectors_json_begin(j, what);
    vectors_json_secret(j, "identity_seed", identity);
    vectors_json_hex(j, "body", m->body);
    vectors_json_hex(j, "signature", PART_OF(m->signature));
    vectors_json_hex(j, "hash", PART_OF(m->hash.b));
    vectors_json_hex(j, "known_manifest", PART_OF(known.b));
    vectors_json_hex(j, "user_id", PART_OF(m->uid.b));
    vectors_json_hex(j, "identity_key", PART_OF(m->identity_key));
    vectors_json_number(j, "sequence", m->sequence);
    vectors_json_number(j, "devices", m->n_devices);
    vectors_json_number(j, "keys", m->n_eks);
    vectors_json_number(j, "successions", m->n_successions);
    vectors_json_end(j);
}

/* The second manifest: another device and key, the first device revoked. */
static struct manifest *second_manifest(const struct sample_user *u, const struct sample_user *more)
{
    struct manifest_device devices[2] = {u->device, more->device};
    struct manifest_ek eks[2] = {u->key, more->key};
    struct manifest_build_plan plan = {.previous = u->first,
                                       .created = SAMPLE_TIME,
                                       .devices = devices,
                                       .n_devices = 2,
                                       .eks = eks,
                                       .n_eks = 2};
    struct manifest *m = NULL;

    devices[0].revoked = SAMPLE_TIME - 1;
    eks[1].not_before = SAMPLE_TIME;
    MUST_OK(manifest_build(&plan, &u->isk, &m, NULL));
    return m;
}

static void write_manifests(struct vectors_json *j)
{
    struct sample_user u, more;
    struct manifest *second, *third = NULL;
    struct manifest_build_succession s = {.number = 1};
    struct manifest_build_plan plan = {0};
    struct buf succession = {0};

    sample_user(&u, "alice");
    sample_user(&more, "alice again");
    write_manifest(j, "first", u.first, &u.isk);
    second = second_manifest(&u, &more);
    write_manifest(j, "second", second, &u.isk);
    s.uid = u.uid;
    s.last_manifest = second->hash;
    memcpy(s.identity_key, more.isk_public, IDS_KEY_LEN);
    MUST_OK(manifest_build_succession(&s, &u.rk, &succession, NULL));
    plan = (struct manifest_build_plan){.previous = second,
                                        .created = SAMPLE_TIME + 1,
                                        .devices = &more.device,
                                        .n_devices = 1,
                                        .eks = &more.key,
                                        .n_eks = 1,
                                        .succession = part(succession.data, succession.len)};
    MUST_OK(manifest_build(&plan, &more.isk, &third, NULL));
    write_manifest(j, "third, with a succession", third, &more.isk);
    vectors_json_begin(j, "succession");
    vectors_json_secret(j, "recovery_key_seed", &u.rk);
    vectors_json_buf(j, "signed", &succession);
    vectors_json_end(j);
    buf_free(&succession);
    manifest_free(second);
    manifest_free(third);
    sample_user_free(&u);
    sample_user_free(&more);
}

/* ---- registration and login ---- */

static void write_next_pin(struct vectors_json *j)
{
    struct next_pin n;
    struct secret seed = {0};
    uint8_t key[IDS_KEY_LEN], sig[SIGNED_SIG_LEN];

    sample_secret("server key", &seed);
    MUST_OK(ed25519_public(key, seed.data));
    MUST_OK(ids_server(key, &n.server));
    sample_bytes("pin", n.now.b);
    sample_bytes("next pin", n.next.b);
    MUST_OK(next_pin_sign(&n, &seed, sig, NULL));
    vectors_json_begin(j, "next pin");
    vectors_json_secret(j, "server_seed", &seed);
    vectors_json_hex(j, "server_key", PART_OF(key));
    vectors_json_hex(j, "server_id", PART_OF(n.server.b));
    vectors_json_hex(j, "pin", PART_OF(n.now.b));
    vectors_json_hex(j, "next_pin", PART_OF(n.next.b));
    vectors_json_hex(j, "signature", PART_OF(sig));
    vectors_json_end(j);
    secret_free(&seed);
}

static void write_login(struct vectors_json *j)
{
    struct login_registration r = {.username = "alice", .email = "alice@example.org"};
    struct login l = {.time = SAMPLE_TIME};
    uint8_t key[32], sig[SIGNED_SIG_LEN];
    struct sample_user u;

    sample_user(&u, "alice");
    sample_bytes("server", key);
    MUST_OK(ids_server(key, &r.server));
    sample_bytes("exporter", r.exporter);
    r.manifest = u.first->hash;
    MUST_OK(login_register_sign(&r, &u.isk, sig, NULL));
    vectors_json_begin(j, "register");
    vectors_json_secret(j, "identity_seed", &u.isk);
    vectors_json_hex(j, "server_id", PART_OF(r.server.b));
    vectors_json_hex(j, "exporter", PART_OF(r.exporter));
    vectors_json_text(j, "username", r.username);
    vectors_json_text(j, "email", r.email);
    vectors_json_hex(j, "manifest_hash", PART_OF(r.manifest.b));
    vectors_json_hex(j, "signature", PART_OF(sig));
    vectors_json_end(j);
    l.server = r.server;
    l.uid = u.uid;
    l.device = u.device.id;
    memcpy(l.exporter, r.exporter, sizeof(l.exporter));
    sample_bytes("nonce", l.nonce);
    MUST_OK(login_sign(&l, &u.dsk, sig, NULL));
    vectors_json_begin(j, "login");
    vectors_json_secret(j, "device_seed", &u.dsk);
    vectors_json_hex(j, "server_id", PART_OF(l.server.b));
    vectors_json_hex(j, "nonce", PART_OF(l.nonce));
    vectors_json_hex(j, "exporter", PART_OF(l.exporter));
    vectors_json_hex(j, "user_id", PART_OF(l.uid.b));
    vectors_json_hex(j, "device", PART_OF(l.device.b));
    vectors_json_number(j, "time", l.time);
    vectors_json_hex(j, "signature", PART_OF(sig));
    vectors_json_end(j);
    sample_user_free(&u);
    write_next_pin(j);
}

/* ---- shares ---- */

static void write_share(struct vectors_json *j, const char *what, const uint8_t *o)
{
    struct share_place place;
    struct instance_id instance;
    struct share_pair pair = {0};
    struct hash32 commit[2];
    struct secret seed = {0};
    uint8_t a[SHARE_INPUT_LEN];

    sample_secret("seed", &seed);
    sample_fill(11, place.tid.b, sizeof(place.tid));
    sample_fill(12, place.uid.b, sizeof(place.uid));
    sample_fill(13, place.ek_id.b, sizeof(place.ek_id));
    sample_fill(14, instance.b, sizeof(instance));
    MUST_OK(share_input(&seed, &place, a));
    MUST_OK(share_output(&seed, &place, &instance, o, &pair));
    MUST_OK(share_commit(SHARE_META, &place, &pair.meta, &commit[SHARE_META]));
    MUST_OK(share_commit(SHARE_BODY, &place, &pair.body, &commit[SHARE_BODY]));
    vectors_json_begin(j, what);
    vectors_json_secret(j, "seed", &seed);
    vectors_json_hex(j, "tid", PART_OF(place.tid.b));
    vectors_json_hex(j, "user_id", PART_OF(place.uid.b));
    vectors_json_hex(j, "ek_id", PART_OF(place.ek_id.b));
    vectors_json_hex(j, "instance_id", PART_OF(instance.b));
    vectors_json_hex(j, "a", PART_OF(a));
    vectors_json_hex(j, "o", part(o, SHARE_OUTPUT_LEN));
    vectors_json_secret(j, "share_meta", &pair.meta);
    vectors_json_secret(j, "share_body", &pair.body);
    vectors_json_hex(j, "share_commit_meta", PART_OF(commit[SHARE_META].b));
    vectors_json_hex(j, "share_commit_body", PART_OF(commit[SHARE_BODY].b));
    vectors_json_end(j);
    share_pair_free(&pair);
    secret_free(&seed);
}

static void write_sealed_seed(struct vectors_json *j)
{
    struct secret seed = {0}, day = {0}, slot = {0};
    struct share_cells cells = {&day, &slot};
    struct share_place place;
    uint8_t nonce[SHARE_NONCE_LEN], sealed[SHARE_SEALED_LEN];

    sample_secret("seed", &seed);
    sample_secret("day key", &day);
    sample_secret("slot key", &slot);
    sample_fill(11, place.tid.b, sizeof(place.tid));
    sample_fill(12, place.uid.b, sizeof(place.uid));
    sample_fill(13, place.ek_id.b, sizeof(place.ek_id));
    sample_fill(15, nonce, sizeof(nonce));
    MUST_OK(share_seal_seed(&cells, &place, &seed, nonce, sealed));
    vectors_json_begin(j, "sealed seed");
    vectors_json_secret(j, "day_key", &day);
    vectors_json_secret(j, "slot_key", &slot);
    vectors_json_hex(j, "tid", PART_OF(place.tid.b));
    vectors_json_hex(j, "user_id", PART_OF(place.uid.b));
    vectors_json_hex(j, "ek_id", PART_OF(place.ek_id.b));
    vectors_json_secret(j, "seed", &seed);
    vectors_json_hex(j, "sealed_seed", PART_OF(sealed));
    vectors_json_end(j);
    secret_free(&seed);
    secret_free(&day);
    secret_free(&slot);
}

static void write_shares(struct vectors_json *j)
{
    uint8_t o[SHARE_OUTPUT_LEN] = {0};

    write_share(j, "share, o all zeros", o);
    for (size_t i = 0; i < sizeof(o); i++)
        o[i] = (uint8_t)i;
    write_share(j, "share, o = 0, 1 ... 255, four times", o);
    write_sealed_seed(j);
}

/* ---- the files ---- */

static const struct {
    const char *about;
    void (*write)(struct vectors_json *j);
} files[] = {
    {"FORMATS.md section 2 and the safety number of section 4", write_identifiers},
    {"FORMATS.md sections 3 and 4", write_manifests},
    {"FORMATS.md section 5", write_login},
    {"FORMATS.md sections 6 (commitments), 10 and 11", write_shares},
    {"FORMATS.md section 6; the facts are in the header", vectors_transfer_slot},
    {"FORMATS.md section 7, and the tree of section 6", vectors_transfer_header},
    {"FORMATS.md section 8", vectors_transfer_metadata},
    {"FORMATS.md section 9, KID and CID of section 7", vectors_transfer_body},
    {"FORMATS.md section 7.1", vectors_life_statement},
    {"FORMATS.md section 14.4", vectors_life_events},
    {"FORMATS.md section 22", vectors_join},
};
const char *const vectors_names[] = {"identifiers", "manifest", "login",    "share",
                                     "slot",        "header",   "metadata", "body",
                                     "statement",   "events",   "join",     NULL};

void vectors_write(const char *name, FILE *out)
{
    struct vectors_json j = {.out = out};
    size_t i = 0;

    while (vectors_names[i] != NULL && strcmp(vectors_names[i], name) != 0)
        i++;
    if (vectors_names[i] == NULL)
        abort();
    fprintf(out, "{\n  \"about\": \"%s\",\n  \"cases\": [\n", files[i].about);
    files[i].write(&j);
    fprintf(out, "\n  ]\n}\n");
}
