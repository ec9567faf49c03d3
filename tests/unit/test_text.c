/* SPDX-License-Identifier: Apache-2.0 */
/* hex, b64url, bech32m, uid, words, padme: what people and other programs read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/crypto/b64url.h"
#include "common/crypto/bech32m.h"
#include "common/crypto/hex.h"
#include "common/crypto/padme.h"
#include "common/crypto/uid.h"
#include "common/crypto/wordlist.h"
#include "common/crypto/words.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_hex(void **state)
{
    static const char *const bad[] = {"0", "0g", "g0", "0x10", " 00", "00 ", "\xc3\xa4", "a-"};
    uint8_t out[8];
    char text[2 * sizeof(out) + 1];

    (void)state;
    assert_int_equal(hex_decode(out, "00fFaB7e", 8), ERR_OK);
    hex_encode(text, out, 4);
    assert_string_equal(text, "00ffab7e");
    assert_int_equal(hex_decode((uint8_t *)text, text, 8), ERR_OK); /* where it stands */
    assert_memory_equal(text, out, 4);
    hex_encode(text, NULL, 0);
    assert_string_equal(text, "");
    assert_int_equal(hex_decode(out, "", 0), ERR_OK);
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(hex_decode(out, bad[i], strlen(bad[i])), ERR_INVALID);
}

/* RFC 4648 section 10 without padding, and the two characters that base64url has of its own. */
static void test_b64url(void **state)
{
    static const struct {
        const char *bytes, *text;
    } table[] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xff\xef\xbe", "_---"},
        {"\xfb\xff", "-_8"}};
    static const char *const bad[] = {"Z",   "Zg==", "Zm9vZ", "Zh",     "Zm9", "Zg ",
                                      "Z g", "+w",   "/w",    "Zm9v\n", "Zm=v"};
    uint8_t out[16];
    char text[32];
    size_t len = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        const size_t n = strlen(table[i].bytes);

        b64url_encode(text, table[i].bytes, n);
        assert_string_equal(text, table[i].text);
        assert_int_equal(b64url_len(n), strlen(text));
        assert_int_equal(b64url_decode(out, &len, text, strlen(text)), ERR_OK);
        assert_int_equal(len, n);
        assert_memory_equal(out, table[i].bytes, n);
    }
    len = 77;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(b64url_decode(out, &len, bad[i], strlen(bad[i])), ERR_INVALID);
    assert_int_equal(len, 77);
}

/* BIP-350 */
static void test_bech32m_vectors(void **state)
{
    static const char *const good[] = {
        "A1LQFN3A",
        "a1lqfn3a",
        "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg"
        "6",
        "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
        "11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr"
        "8",
        "split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
        "?1v759aa",
    };
    static const char *const bad[] = {
        "\x20"
        "1xj0phk",
        "\x7f"
        "1g6xzxy",
        "\x80"
        "1vctc34",
        "an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pt"
        "s4",
        "qyrz8wqd2c9m",
        "1qyrz8wqd2c9m",
        "y1b0jsk6g",
        "lt1igcx5c0",
        "in1muywd",
        "mm1crxm3i",
        "au1s5cgom",
        "M1VUXWEZ",
        "16plkw9",
        "1p2gdwpf",
        "A1lqfn3a", /* both cases */
        "a12uel5l", /* bech32, not bech32m */
        "",
    };
    struct bech32m b;
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_int_equal(bech32m_parse(good[i], &b, &err), ERR_OK);
    assert_string_equal(b.prefix, "?");
    assert_int_equal(b.n, 0);
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(bech32m_parse(bad[i], &b, &err), ERR_INVALID);
    assert_int_equal(bech32m_parse("y1b0jsk6g", &b, &err), ERR_INVALID);
    assert_string_equal(err.msg, "character 3 does not belong there");
}

static void test_bech32m_bytes(void **state)
{
    uint8_t data[51] = {0xff, 1, 2}, out[51];
    char text[BECH32M_TEXT_MAX + 1];

    (void)state;
    for (size_t len = 0; len <= 50; len++) {
        assert_int_equal(bech32m_encode(text, "sat", part(data, len)), ERR_OK);
        assert_int_equal(bech32m_decode(text, "sat", out, len, NULL), ERR_OK);
        assert_memory_equal(out, data, len);
        assert_int_equal(bech32m_decode(text, "sat", out, len + 1, NULL), ERR_INVALID);
        assert_int_equal(bech32m_decode(text, "sa", out, len, NULL), ERR_INVALID);
        if (len > 0)
            assert_int_equal(bech32m_decode(text, "sat", out, len - 1, NULL), ERR_INVALID);
    }
    assert_int_equal(bech32m_encode(text, "sat", part(data, 51)), ERR_INVALID);
    assert_int_equal(bech32m_encode(text, "", part(data, 5)), ERR_INVALID);
    assert_int_equal(bech32m_encode(text, "Sat", part(data, 5)), ERR_INVALID);
    assert_int_equal(bech32m_encode(text, "s t", part(data, 5)), ERR_INVALID);
    assert_int_equal(bech32m_encode(text, "sat", part(data, SIZE_MAX)), ERR_INVALID);
    /* One byte in two groups leaves two bits, which must be zero; a third group is one too many. */
    assert_int_equal(bech32m_decode("sat1luag4mxg", "sat", out, 1, NULL), ERR_OK);
    assert_int_equal(out[0], 0xff);
    assert_int_equal(bech32m_decode("sat1laq7pwm6", "sat", out, 1, NULL), ERR_INVALID);
    assert_int_equal(bech32m_decode("sat1l7wd5c49", "sat", out, 1, NULL), ERR_INVALID);
    assert_int_equal(bech32m_decode("sat1luqldrrs7", "sat", out, 1, NULL), ERR_INVALID);
}

static void test_user_ids(void **state)
{
    static const uint8_t isk[32] = {1}, rk[32] = {2};
    uint8_t uid[UID_LEN], swapped[UID_LEN], back[UID_LEN];
    char text[UID_TEXT_SIZE], typo[UID_TEXT_SIZE], upper[UID_TEXT_SIZE] = {0};
    struct err err;

    (void)state;
    assert_int_equal(uid_compute(uid, isk, rk), ERR_OK);
    assert_int_equal(uid_compute(swapped, rk, isk), ERR_OK);
    assert_memory_not_equal(uid, swapped, UID_LEN);
    uid_to_text(text, uid);
    assert_int_equal(strlen(text), UID_TEXT_LEN);
    assert_memory_equal(text, "sat1", 4);
    assert_int_equal(uid_from_text(back, text, &err), ERR_OK);
    assert_memory_equal(back, uid, UID_LEN);
    for (size_t i = 0; i < UID_TEXT_LEN; i++)
        upper[i] = (char)(text[i] >= 'a' ? text[i] - 'a' + 'A' : text[i]);
    assert_int_equal(uid_from_text(back, upper, &err), ERR_OK);
    assert_memory_equal(back, uid, UID_LEN);
    /* Any one character changed, any two neighbours swapped: noticed. */
    for (size_t i = 0; i < UID_TEXT_LEN; i++) {
        memcpy(typo, text, sizeof(typo));
        typo[i] = text[i] == 'q' ? 'p' : 'q';
        assert_int_equal(uid_from_text(back, typo, &err), ERR_INVALID);
        memcpy(typo, text, sizeof(typo));
        typo[i] = text[(i + 1) % UID_TEXT_LEN];
        typo[(i + 1) % UID_TEXT_LEN] = text[i];
        if (strcmp(typo, text) != 0)
            assert_int_equal(uid_from_text(back, typo, &err), ERR_INVALID);
    }
    assert_int_equal(uid_from_text(back, "bob", &err), ERR_INVALID);
    assert_string_equal(err.msg, "not a user ID: incomplete");
    assert_memory_equal(back, uid, UID_LEN);
}

/* BIP-39's vectors of 256 bits (trezor/python-mnemonic, vectors.json, MIT). */
static const struct {
    const char *seed, *words;
} mnemonics[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000",
     "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "
     "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "
     "abandon art"},
    {"7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
     "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth "
     "useful legal winner thank year wave sausage worth title"},
    {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
     "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo "
     "vote"},
    {"68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c",
     "hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy "
     "gospel tennis maple dilemma loan word shrug inflict delay length"},
    {"f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f",
     "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing "
     "screen patrol group space point ten exist slush involve unfold"},
};

static void test_words_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(mnemonics); i++) {
        uint8_t seed[WORDS_SEED_LEN];
        struct secret text = {0}, back = {0};

        assert_int_equal(hex_decode(seed, mnemonics[i].seed, 64), ERR_OK);
        assert_int_equal(words_from_seed(seed, &text, NULL), ERR_OK);
        assert_string_equal((char *)text.data, mnemonics[i].words);
        assert_int_equal(text.len, strlen(mnemonics[i].words) + 1);
        assert_int_equal(words_to_seed(mnemonics[i].words, &back, NULL), ERR_OK);
        assert_int_equal(back.len, WORDS_SEED_LEN);
        assert_memory_equal(back.data, seed, WORDS_SEED_LEN);
        secret_free(&text);
        secret_free(&back);
    }
}

static void test_words_as_people_type_them(void **state)
{
    struct secret seed = {0};

    (void)state;
    assert_int_equal(
        words_to_seed("  Zoo ZOO\tzoo\nzoo zoo zoo  zoo zoo\r\nzoo zoo zoo zoo zoo zoo "
                      "zoo zoo zoo zoo zoo zoo zoo zoo zoo vOTe\n",
                      &seed, NULL),
        ERR_OK);
    assert_int_equal(seed.data[0], 0xff);
    secret_free(&seed);
}

/* They are shown in numbered rows, and copied like that. */
static void test_words_with_numbers(void **state)
{
    static const char numbered[] = "1 zoo 2. zoo 3) zoo 4 zoo 5 zoo 6 zoo\n"
                                   "  7 zoo   8 zoo   9 zoo  10 zoo  11 zoo  12 zoo\n"
                                   " 13 zoo zoo zoo zoo 17 zoo zoo zoo zoo zoo zoo 23 zoo 24 vote";
    struct secret seed = {0};
    struct err err;

    (void)state;
    assert_int_equal(words_to_seed(numbered, &seed, NULL), ERR_OK);
    assert_int_equal(seed.data[0], 0xff);
    secret_free(&seed);
    assert_int_equal(words_to_seed("1 zoo 3 zoo", &seed, &err), ERR_INVALID);
    assert_string_equal(err.msg, "number 3 stands where word 2 should be");
    assert_int_equal(words_to_seed("1 zoo 2 2 zoo", &seed, &err), ERR_INVALID); /* too few */
    assert_string_equal(err.msg, "2 words, not 24");
    assert_int_equal(words_to_seed("1zoo", &seed, &err), ERR_INVALID);
    assert_string_equal(err.msg, "word 1 is not in the list of words");
    assert_int_equal(words_to_seed("1.) zoo", &seed, &err), ERR_INVALID);
    assert_string_equal(err.msg, "word 1 is not in the list of words");
    assert_null(seed.data);
}

static void test_words_refused(void **state)
{
#define TEN "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo "
    static const struct {
        const char *text, *msg;
    } table[] = {
        {"", "0 words, not 24"},
        {TEN TEN "zoo zoo vote", "23 words, not 24"},
        {TEN TEN "zoo zoo zoo vote vote", "25 words, not 24"},
        {TEN TEN "zoo zoo zoo zoo", "the words do not fit together: one is wrong or out of order"},
        {TEN TEN "vote zoo zoo zoo", "the words do not fit together: one is wrong or out of order"},
        {"zoo secretword zoo", "word 2 is not in the list of words"},
        {"zoo zoo abandonabandonabandon zoo", "word 3 is not in the list of words"},
        {"zo", "word 1 is not in the list of words"},
        {"zoo z\xc3\xb6\xc3\xb6", "word 2 is not in the list of words"},
    };
    struct secret seed = {0};
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        assert_int_equal(words_to_seed(table[i].text, &seed, &err), ERR_INVALID);
        assert_string_equal(err.msg, table[i].msg);
        assert_null(seed.data);
    }
}

static void test_wordlist(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WORDLIST_COUNT; i++) {
        assert_int_equal(wordlist_find(wordlist_word(i)), i);
        if (i > 0)
            assert_true(strcmp(wordlist_word(i - 1), wordlist_word(i)) < 0);
    }
    assert_int_equal(wordlist_find(""), -1);
    assert_int_equal(wordlist_find("aaaa"), -1);
    assert_int_equal(wordlist_find("zzzz"), -1);
}

static void test_padme(void **state)
{
    static const uint64_t table[][2] = {
        {0, 4096},
        {1, 4096},
        {4096, 4096},
        {4097, 4352},
        {4352, 4352},
        {4353, 4608},
        {65536, 65536},
        {65537, 67584},
        {1000000, 1015808},
        {1u << 20, 1u << 20},
        {(1u << 20) + 1, 1081344},
        {1000000000, 1006632960},
        {(uint64_t)1 << 52, (uint64_t)1 << 52},
        {((uint64_t)1 << 62) + 1, ((uint64_t)1 << 62) + ((uint64_t)1 << 56)},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++)
        assert_true(padme_len(table[i][0]) == table[i][1]);
    for (uint64_t len = 1; len < (uint64_t)1 << 62; len += len / 8 + 1) {
        const uint64_t padded = padme_len(len);

        assert_true(padded >= len && padme_len(padded) == padded);
        assert_true(len < 4096 || padded - len <= len / 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_b64url),
        cmocka_unit_test(test_bech32m_vectors),
        cmocka_unit_test(test_bech32m_bytes),
        cmocka_unit_test(test_user_ids),
        cmocka_unit_test(test_words_vectors),
        cmocka_unit_test(test_words_as_people_type_them),
        cmocka_unit_test(test_words_with_numbers),
        cmocka_unit_test(test_words_refused),
        cmocka_unit_test(test_wordlist),
        cmocka_unit_test(test_padme),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
