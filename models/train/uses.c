/* SPDX-License-Identifier: Apache-2.0 */
#include "models/train/uses.h"

#include <string.h>

#include "models/preview.h"
#include "models/preview_file.h"
#include "models/preview_symbols.h"

struct measure {
    struct preview *p;
    struct preview_image image, back;
    struct preview_symbols s;
    struct preview_values v;
    double lost[PREVIEW_CLASSES + 1]; /* the last: not quantised */
    unsigned n[PREVIEW_CLASSES + 1];
};

static void lose(struct measure *m, int class)
{
    double sum = 0;

    for (int i = 0; i < PREVIEW_BYTES; i++) {
        int off = m->image.rgb[i] - m->back.rgb[i];

        sum += (double)(off * off);
    }
    m->lost[class] += sum;
    m->n[class]++;
}

/* The class is kept where the weight will be. */
static int measure(struct measure *m, struct uses *uses, const struct preview_net *net, int class,
                   struct err *err)
{
    uint8_t bytes[PREVIEW_CLASS_MAX];
    size_t len = preview_classes[class];
    int rc = preview_encode(m->p, &m->image, len, bytes, err);

    if (rc == ERR_TOOLARGE)
        return ERR_OK;
    if (rc == ERR_OK)
        rc = preview_decode(m->p, bytes, len, &m->back, err);
    if (rc == ERR_OK)
        rc = preview_symbols_decode(net, part(bytes, len), &m->s, &m->v, err);
    if (rc != ERR_OK)
        return rc;
    lose(m, class);
    if (uses->n < USES_MAX)
        uses->use[uses->n++] =
            (struct use){.step = m->s.step, .depth = m->s.depth, .weight = (float)class};
    return ERR_OK;
}

/* Weights in inverse proportion to what is lost in the class. */
static void weigh(struct measure *m, struct uses *uses)
{
    float weight[PREVIEW_CLASSES + 1], sum = 0;

    for (int c = 0; c <= PREVIEW_CLASSES; c++) {
        weight[c] = m->n[c] > 0 ? (float)(m->n[c] / (m->lost[c] + 1)) : 0;
        sum += weight[c] / (PREVIEW_CLASSES + 1);
    }
    for (unsigned i = 0; i < uses->n; i++)
        uses->use[i].weight = weight[(int)uses->use[i].weight] / sum;
    uses->floats_weight = weight[PREVIEW_CLASSES] / sum;
}

int uses_measure(struct uses *ret_uses, struct preview_net *net, const struct data_draw *draw,
                 struct err *err)
{
    const struct data *data = draw->data;
    static struct measure m;
    struct buf file = {0};
    float numbers[PREVIEW_FLOATS];
    int rc = preview_file_encode(net, &file, err);

    memset(&m, 0, sizeof(m));
    memset(ret_uses, 0, sizeof(*ret_uses));
    m.image.width = m.image.height = PREVIEW_SIDE;
    if (rc == ERR_OK)
        rc = preview_make(&m.p, file.data, file.len, err);
    for (unsigned i = 0; i < draw->pictures && rc == ERR_OK; i++) {
        memcpy(m.image.rgb,
               data->rgb + prg_below(draw->prg, (uint32_t)data->n) * (size_t)PREVIEW_BYTES,
               PREVIEW_BYTES);
        for (int c = 0; c < PREVIEW_CLASSES && rc == ERR_OK; c++)
            rc = measure(&m, ret_uses, net, c, err);
        if (rc == ERR_OK)
            rc = preview_float(m.p, &m.image, numbers, &m.back, err);
        if (rc == ERR_OK)
            lose(&m, PREVIEW_CLASSES);
    }
    if (rc == ERR_OK && ret_uses->n == 0)
        rc = err_set(err, ERR_NOTFOUND, "no picture fits a preview");
    weigh(&m, ret_uses);
    preview_close(m.p);
    buf_free(&file);
    return rc;
}

struct use uses_draw(const struct uses *uses, struct prg *prg)
{
    struct use use = uses->use[prg_below(prg, uses->n)];
    unsigned step = use.step + prg_below(prg, 3); /* one less to one more */

    use.step = (uint8_t)(step == 0 ? 0 : step > PREVIEW_STEPS ? PREVIEW_STEPS - 1 : step - 1);
    return use;
}
