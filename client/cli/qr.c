/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/qr.h"

#include <stdint.h>

#include <qrencode.h>

enum { QUIET = 4, DARK = 1 };

/* Is the module there dark?  Around the code everything is light. */
static bool dark(const QRcode *code, int x, int y)
{
    if (x < 0 || y < 0 || x >= code->width || y >= code->width)
        return false;
    return (code->data[y * code->width + x] & DARK) != 0;
}

/* Two rows at once: the upper and the lower half of each character.  Light is what is drawn. */
static void draw_rows(FILE *to, const QRcode *code, int y)
{
    static const char *const blocks[] = {" ", "\u2584", "\u2580", "\u2588"};

    for (int x = -QUIET; x < code->width + QUIET; x++) {
        int upper = dark(code, x, y) ? 0 : 2, lower = dark(code, x, y + 1) ? 0 : 1;

        (void)fputs(blocks[upper + lower], to);
    }
}

bool qr_draw(FILE *to, const char *text, bool colour)
{
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);

    if (code == NULL)
        return false;
    for (int y = -QUIET; y < code->width + QUIET; y += 2) {
        (void)fputs(colour ? "\033[97;40m" : "", to);
        draw_rows(to, code, y);
        (void)fputs(colour ? "\033[0m\n" : "\n", to);
    }
    QRcode_free(code);
    return true;
}
