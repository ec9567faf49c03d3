/* SPDX-License-Identifier: Apache-2.0 */
/* satchel-train - trains the networks that Satchel ships. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/preview.h"
#include "models/preview_net.h"
#include "models/train/trainer.h"
#include "models/train/uses.h"

static const char help[] =
    "usage: satchel-train preview [OPTION]... --out FILE FOLDER...\n"
    "\n"
    "Train the weights of previews on the PNG, JPEG and WebP files in folders.\n"
    "After each round the weights so far, a checkpoint and the loss curve are written.\n"
    "With --resume and otherwise the same options an interrupted training goes on from\n"
    "the checkpoint and ends with the weights it would have ended with.\n"
    "\n"
    "  --out FILE           the weight file; FILE.checkpoint, FILE.csv and FILE.png beside it\n"
    "  --held-out LIST      paths, relative to their folder, that training must not see\n"
    "  --seed TEXT          start of everything that is drawn (default: satchel)\n"
    "  --cuts N             squares cut out of each picture larger than 64 x 64 (default: 40)\n"
    "  --copies N           moved copies of each 64 x 64 picture (default: 2)\n"
    "  --estimate-rounds N  of the estimator, each over all squares (default: 12)\n"
    "  --repair-rounds N    of the layers that repair (default: 60)\n"
    "  --detail-rounds N    of the networks of details (default: 12)\n"
    "  --round-pictures N   pictures in each round of repair and of details (default: 2048)\n"
    "  --table-pictures N   pictures on which the probability tables are counted at the end;\n"
    "                       0: they stay as the estimator says (default: 512)\n"
    "  --from FILE          take the linear layer, the estimator and the layers that repair from\n"
    "                       a weight file; --repair-rounds and --detail-rounds train on\n"
    "  --uses N             with --from: encode N pictures, and train at the step sizes and "
    "depths\n"
    "                       that were used, errors of all classes counting alike (default: 0)\n"
    "  --finer N            with --from: step sizes begin N eighths of an octave lower\n"
    "  --widths N,N         with --from: channels of the layers that repair, at half and at a\n"
    "                       quarter of the side, not less than there (default: as there)\n"
    "  --steps N            learn the N smallest step sizes; 8 to an octave (default: 36)\n"
    "  --rate N             at which the layers that repair begin to learn (default: 0.001)\n"
    "  --lambda N           bits against squared steps (default: 0.15)\n"
    "  --resume             go on from FILE.checkpoint\n"
    "  -h, --help           this text\n";

static int usage(const char *what)
{
    fprintf(stderr, "satchel-train: %s\nhint: see satchel-train --help\n", what);
    return 2;
}

/* A number of at most ${max}; false for anything else. */
static bool number(const char *text, unsigned max, unsigned *ret_n)
{
    char *end = NULL;
    unsigned long n = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || n > max)
        return false;
    *ret_n = (unsigned)n;
    return true;
}

enum {
    OUT = 256,
    FROM,
    HELD_OUT,
    SEED,
    CUTS,
    COPIES,
    ESTIMATE,
    REPAIR,
    DETAIL,
    PICTURES,
    TABLES,
    STEPS,
    WIDTHS,
    USES,
    FINER,
    LAMBDA,
    RATE,
    RESUME
};

static const struct option options[] = {
    {"out", required_argument, NULL, OUT},
    {"from", required_argument, NULL, FROM},
    {"held-out", required_argument, NULL, HELD_OUT},
    {"seed", required_argument, NULL, SEED},
    {"cuts", required_argument, NULL, CUTS},
    {"copies", required_argument, NULL, COPIES},
    {"estimate-rounds", required_argument, NULL, ESTIMATE},
    {"repair-rounds", required_argument, NULL, REPAIR},
    {"detail-rounds", required_argument, NULL, DETAIL},
    {"round-pictures", required_argument, NULL, PICTURES},
    {"table-pictures", required_argument, NULL, TABLES},
    {"steps", required_argument, NULL, STEPS},
    {"widths", required_argument, NULL, WIDTHS},
    {"uses", required_argument, NULL, USES},
    {"finer", required_argument, NULL, FINER},
    {"lambda", required_argument, NULL, LAMBDA},
    {"rate", required_argument, NULL, RATE},
    {"resume", no_argument, NULL, RESUME},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* Two numbers with a comma between. */
static bool widths(const char *text, uint16_t ret_widths[PREVIEW_WIDTHS])
{
    char first[8] = "";
    const char *comma = strchr(text, ',');
    unsigned n[PREVIEW_WIDTHS];

    if (comma == NULL || (size_t)(comma - text) >= sizeof(first))
        return false;
    memcpy(first, text, (size_t)(comma - text));
    if (!number(first, PREVIEW_WIDTH_MAX, &n[0]) || !number(comma + 1, PREVIEW_WIDTH_MAX, &n[1]))
        return false;
    for (int i = 0; i < PREVIEW_WIDTHS; i++)
        ret_widths[i] = (uint16_t)n[i];
    return n[0] > 0 && n[1] > 0;
}

static bool apply(struct trainer_spec *spec, int option, const char *value)
{
    char *end = NULL;

    switch (option) {
    case OUT:
        spec->out = value;
        return strlen(value) < 4000;
    case FROM:
        spec->from = value;
        spec->estimate_rounds = 0;
        return true;
    case HELD_OUT:
        spec->data.held_out = value;
        return true;
    case SEED:
        spec->seed = value;
        return true;
    case CUTS:
        return number(value, 10000, &spec->data.cuts);
    case COPIES:
        return number(value, 100, &spec->data.copies);
    case ESTIMATE:
        return number(value, 2000, &spec->estimate_rounds);
    case REPAIR:
        return number(value, 2000, &spec->repair_rounds);
    case DETAIL:
        return number(value, 2000, &spec->detail_rounds);
    case PICTURES:
        return number(value, 1 << 20, &spec->round_pictures) && spec->round_pictures >= 16;
    case TABLES:
        return number(value, 1 << 20, &spec->table_pictures);
    case STEPS:
        return number(value, PREVIEW_STEPS, &spec->steps) && spec->steps > 0;
    case WIDTHS:
        return widths(value, spec->widths);
    case USES:
        return number(value, USES_MAX / PREVIEW_CLASSES, &spec->uses);
    case FINER:
        return number(value, 24, &spec->finer);
    case RATE:
        spec->rate = strtof(value, &end);
        return *end == '\0' && spec->rate > 0 && spec->rate < 1;
    case LAMBDA:
        spec->lambda = strtof(value, &end);
        return *end == '\0' && spec->lambda > 0 && spec->lambda < 10;
    default:
        spec->resume = true;
        return true;
    }
}

int main(int argc, char **argv)
{
    struct trainer_spec spec = {.data = {.cuts = 40, .copies = 2},
                                .seed = "satchel",
                                .estimate_rounds = 12,
                                .repair_rounds = 60,
                                .detail_rounds = 12,
                                .round_pictures = 2048,
                                .table_pictures = 512,
                                .steps = 36,
                                .rate = 0.001F,
                                .lambda = 0.15F};
    struct err err = {0};
    int option, rc;

    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        (void)fputs(help, stdout);
        return 0;
    }
    if (argc < 2 || strcmp(argv[1], "preview") != 0)
        return usage("say what to train: preview");
    optind = 2;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(help, stdout);
            return 0;
        }
        if (option == '?' || !apply(&spec, option, optarg))
            return usage("not understood");
    }
    if (spec.out == NULL || optind == argc)
        return usage("--out and at least one folder are needed");
    if (spec.from != NULL && spec.estimate_rounds > 0)
        return usage("--from keeps the estimator: without --estimate-rounds");
    if (spec.from == NULL && spec.uses + spec.finer > 0)
        return usage("--uses and --finer need --from");
    if (spec.from == NULL && spec.widths[0] != 0)
        return usage("--widths needs --from");
    spec.data.folders = (const char *const *)argv + optind;
    spec.data.n_folders = (size_t)(argc - optind);
    rc = trainer_run(&spec, &err);
    if (rc != ERR_OK)
        fprintf(stderr, "satchel-train: %s\n", err.msg[0] != '\0' ? err.msg : err_text(rc));
    return err_exit_code(rc);
}
