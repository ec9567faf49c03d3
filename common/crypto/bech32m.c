/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/bech32m.h"

#include <stdbool.h>

enum { CHECKSUM_LEN = 6 };

static const uint32_t bech32m_const = 0x2bc830a3;
static const char charset[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/* One step of the BCH code's remainder. */
static uint32_t polymod_step(uint32_t chk, uint8_t value)
{
    static const uint32_t generator[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                          0x2a1462b3};
    const uint32_t top = chk >> 25;

    chk = (chk & 0x1ffffff) << 5 ^ value;
    for (int i = 0; i < 5; i++)
        if ((top >> i & 1) != 0)
            chk ^= generator[i];
    return chk;
}

static uint32_t polymod(const char *prefix, const uint8_t *groups, size_t n)
{
    uint32_t chk = 1;

    for (const char *p = prefix; *p != '\0'; p++)
        chk = polymod_step(chk, (uint8_t)*p >> 5);
    chk = polymod_step(chk, 0);
    for (const char *p = prefix; *p != '\0'; p++)
        chk = polymod_step(chk, (uint8_t)*p & 31);
    for (size_t i = 0; i < n; i++)
        chk = polymod_step(chk, groups[i]);
    return chk;
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static char to_lower(char c)
{
    if (is_upper(c))
        c = (char)(c - 'A' + 'a');
    return c;
}

/* Printable ASCII throughout and not both cases; BIP-350 allows either. */
static int check_characters(const char *text, struct err *err)
{
    bool upper = false, lower = false;

    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] < 33 || text[i] > 126)
            return err_set(err, ERR_INVALID, "character %zu does not belong there", i + 1);
        upper |= is_upper(text[i]);
        lower |= text[i] >= 'a' && text[i] <= 'z';
    }
    if (upper && lower)
        return err_set(err, ERR_INVALID, "upper and lower case are mixed");
    return ERR_OK;
}

int bech32m_parse(const char *text, struct bech32m *ret, struct err *err)
{
    struct bech32m b = {0};
    const size_t len = strnlen(text, BECH32M_TEXT_MAX + 1);
    const char *last_one = NULL;
    size_t prefix;

    if (len > BECH32M_TEXT_MAX)
        return err_set(err, ERR_INVALID, "longer than %d characters", BECH32M_TEXT_MAX);
    if (check_characters(text, err) != ERR_OK)
        return ERR_INVALID;
    last_one = strrchr(text, '1');
    if (last_one == NULL || last_one == text || len - (size_t)(last_one - text) <= CHECKSUM_LEN)
        return err_set(err, ERR_INVALID, "incomplete");
    prefix = (size_t)(last_one - text);
    for (size_t i = 0; i < prefix; i++)
        b.prefix[i] = to_lower(text[i]);
    for (size_t i = prefix + 1; i < len; i++) {
        const char *at = strchr(charset, to_lower(text[i]));

        if (at == NULL)
            return err_set(err, ERR_INVALID, "character %zu does not belong there", i + 1);
        b.groups[b.n++] = (uint8_t)(at - charset);
    }
    if (polymod(b.prefix, b.groups, b.n) != bech32m_const)
        return err_set(err, ERR_INVALID, "a character is wrong, missing or out of order");
    b.n -= CHECKSUM_LEN;
    *ret = b;
    return ERR_OK;
}

static bool prefix_is_good(const char *prefix)
{
    const size_t len = strlen(prefix);

    for (size_t i = 0; i < len; i++)
        if (prefix[i] < 33 || prefix[i] > 126 || is_upper(prefix[i]))
            return false;
    return len > 0 && len <= BECH32M_PREFIX_MAX;
}

/* ${out} takes (8 * len + 4) / 5 groups; the last is filled up with zero bits. */
static size_t to_groups(const uint8_t *data, size_t len, uint8_t *out)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | data[i];
        for (have += 8; have >= 5; have -= 5)
            out[n++] = (uint8_t)(bits >> (have - 5) & 31);
    }
    if (have > 0)
        out[n++] = (uint8_t)(bits << (5 - have) & 31);
    return n;
}

int bech32m_encode(char ret_text[BECH32M_TEXT_MAX + 1], const char *prefix, struct part data)
{
    uint8_t groups[BECH32M_TEXT_MAX] = {0};
    uint32_t chk;
    size_t n, at;

    if (!prefix_is_good(prefix) || data.len > BECH32M_TEXT_MAX * 5 / 8 ||
        strlen(prefix) + 1 + (8 * data.len + 4) / 5 + CHECKSUM_LEN > BECH32M_TEXT_MAX)
        return ERR_INVALID;
    n = to_groups(data.data, data.len, groups);
    /* The checksum is what makes the remainder come out right: taken over six zeros first. */
    chk = polymod(prefix, groups, n + CHECKSUM_LEN) ^ bech32m_const;
    for (size_t i = 0; i < CHECKSUM_LEN; i++)
        groups[n++] = (uint8_t)(chk >> 5 * (CHECKSUM_LEN - 1 - i) & 31);
    at = strlen(prefix);
    memcpy(ret_text, prefix, at);
    ret_text[at++] = '1';
    for (size_t i = 0; i < n; i++)
        ret_text[at++] = charset[groups[i]];
    ret_text[at] = '\0';
    return ERR_OK;
}

int bech32m_decode(const char *text, const char *prefix, uint8_t *ret_data, size_t len,
                   struct err *err)
{
    struct bech32m b = {0};
    uint32_t bits = 0;
    unsigned have = 0;
    size_t done = 0;

    if (bech32m_parse(text, &b, err) != ERR_OK)
        return ERR_INVALID;
    if (strcmp(b.prefix, prefix) != 0)
        return err_set(err, ERR_INVALID, "begins with '%s', not '%s'", b.prefix, prefix);
    if (b.n != (8 * len + 4) / 5 ||
        (b.n > 0 && (b.groups[b.n - 1] & ((1u << (5 * b.n - 8 * len)) - 1)) != 0))
        return err_set(err, ERR_INVALID, "not %zu bytes", len);
    for (size_t i = 0; i < b.n; i++) {
        bits = bits << 5 | b.groups[i];
        have += 5;
        if (have >= 8) {
            have -= 8;
            ret_data[done++] = (uint8_t)(bits >> have);
        }
    }
    return ERR_OK;
}
