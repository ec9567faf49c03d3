/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/label.h"

#include "common/buf.h"

int label_make(struct label *ret_label, const char *name)
{
    const size_t prefix = sizeof(LABEL_PREFIX) - 1, len = strnlen(name, LABEL_NAME_MAX + 1);

    if (len > LABEL_NAME_MAX)
        return ERR_INVALID;
    put_be32(ret_label->bytes, (uint32_t)(prefix + len));
    memcpy(ret_label->bytes + 4, LABEL_PREFIX, prefix);
    memcpy(ret_label->bytes + 4 + prefix, name, len);
    ret_label->len = 4 + prefix + len;
    return ERR_OK;
}

struct part label_text(const struct label *l)
{
    return part(l->bytes + 4, l->len - 4);
}

struct part label_lp(const struct label *l)
{
    return part(l->bytes, l->len);
}
