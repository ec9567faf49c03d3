/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/factor_code.h"

#include <stdbool.h>
#include <string.h>

enum { RECOVERY_LEN = 16 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* RFC 4648 section 6, and its small letters. */
static bool is_base32(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7');
}

enum factor_code factor_code_kind(const char *code, size_t len)
{
    size_t used = 0, digits = 0, base32 = 0;

    for (size_t i = 0; i < len; i++) {
        bool space = code[i] == ' ' || code[i] == '-';

        used += !space;
        digits += is_digit(code[i]);
        base32 += is_base32(code[i]);
    }
    if (used == FACTOR_CODE_DIGITS && digits == used)
        return FACTOR_CODE_ONE_TIME;
    return used == RECOVERY_LEN && base32 == used ? FACTOR_CODE_RECOVERY : FACTOR_CODE_OTHER;
}

int factor_code_check(const char *code, struct err *err)
{
    if (factor_code_kind(code, strlen(code)) != FACTOR_CODE_OTHER)
        return ERR_OK;
    return err_set(err, ERR_FACTOR,
                   "that is neither a one-time password, 6 digits, nor a recovery code, 16 letters "
                   "and digits: nothing was sent");
}
