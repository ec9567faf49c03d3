/* SPDX-License-Identifier: Apache-2.0 */
/* utf8 - is it UTF-8 (RFC 3629)?  Pure.  Threads: any. */
#ifndef COMMON_TRANSFER_UTF8_H
#define COMMON_TRANSFER_UTF8_H

#include <stdbool.h>

/* No overlong forms, no surrogates, nothing above U+10FFFF.  ${text} ends with a NUL. */
bool utf8_valid(const char *text);

#endif /* COMMON_TRANSFER_UTF8_H */
