/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/preview_table.h"

#include <stdio.h>

#include "client/cli/ui.h"

static void row(const char *name, const struct eval_figures *f)
{
    ui_line("%-22s %7.1f %9.6f %8.4f %8.4f %6.2f %6.3f", name, f->bytes, f->mse, f->rmse, f->mae,
            f->psnr, f->ssim);
}

static json_t *class_json(const struct eval_figures *f)
{
    return json_pack("{s:f,s:f,s:f,s:f}", "mse", f->mse, "mae", f->mae, "psnr", f->psnr, "ssim",
                     f->ssim);
}

void preview_table(const struct eval_result *r)
{
    static const char *const baselines[EVAL_BASELINES] = {"JPEG without headers",
                                                          "WebP without headers"};
    json_t *classes = json_object();
    char name[32];

    ui_line("%zu pictures of 64 x 64, values from 0 to 1, means", r->images);
    if (r->refused > 0)
        ui_line("%zu files left out: damaged, too large, or of another kind", r->refused);
    ui_line("%-22s %7s %9s %8s %8s %6s %6s", "", "bytes", "MSE", "RMSE", "MAE", "PSNR", "SSIM");
    for (int c = 0; c < PREVIEW_CLASSES; c++) {
        (void)snprintf(name, sizeof(name), "preview, %zu bytes", preview_classes[c]);
        row(name, &r->classes[c]);
        (void)snprintf(name, sizeof(name), "%zu", preview_classes[c]);
        (void)json_object_set_new(classes, name, class_json(&r->classes[c]));
    }
    for (int b = 0; b < EVAL_BASELINES; b++)
        for (int c = 0; c < PREVIEW_CLASSES; c++)
            row(baselines[b], &r->baseline[b][c]);
    row("hash of frequencies", &r->hash);
    row("512 numbers (floats)", &r->latent);
    ui_line("processor time: encoding %.1f ms, decoding %.1f ms", r->encode_ms, r->decode_ms);
    ui_result(json_pack("{s:I,s:o,s:{s:i,s:f,s:f,s:f}}", "images", (json_int_t)r->images, "classes",
                        classes, "latent", "numbers", 512, "mse", r->latent.mse, "rmse",
                        r->latent.rmse, "mae", r->latent.mae));
}
