/* tiny_models.c - small configurations of every model. */
#include <string.h>
#include "tests/kit/tiny.h"

static const struct tiny_config models[] = {
    { .model = "dcrnn", .options = "hidden=4\nlayers=2\n", .seed = 1 },
    { .model = "dcrnn", .options = "hidden=3\nlayers=1\nsampling=False\n", .seed = 2 },
    { .model = "dcrnn", .options = "hidden=3\nlayers=1\n", .compat = WF_COMPAT_DCRNN, .seed = 3 },
    { .model = "dcrnn-pgt", .options = "hidden=0\n", .compat = WF_COMPAT_PGT, .seed = 4 },
    { .model = "dcrnn-pgt", .options = "hidden=5\n", .seed = 5 },
    { .model = "tgcn", .options = "hidden=4\n", .seed = 6 },
    { .model = "a3tgcn", .options = "hidden=4\n", .seed = 7 },
    { .model = "a3tgcn", .options = "hidden=3\nrestart=True\n", .seed = 8 },
    { .model = "gconvgru", .options = "hidden=4\n", .seed = 9 },
    { .model = "gconvlstm", .options = "hidden=4\n", .seed = 10 },
    { .model = "gclstm", .options = "hidden=4\n", .seed = 11 },
    { .model = "mpnnlstm", .options = "hidden=4\ndropout=0.3\n", .seed = 15 },
    { .model = "agcrn", .options = "hidden=4\nembedding=3\n", .seed = 12 },
    { .model = "agcrn", .options = "hidden=3\nlayers=1\nterms=3\n", .seed = 13 },
    { .model = "agcrn", .options = "hidden=3\nlayers=1\nterms=1\n", .seed = 14 },
    { .model = "stgcn", .options = "channels=4\nhidden=3\nkernel=2\nblocks=1\n", .seed = 15 },
    { .model = "aagcn", .options = "hidden=4\nblocks=2\n", .seed = 20 },
    { .model = "aagcn",
      .options = "hidden=4\nblocks=1\nadaptive=False\nattention=False\n",
      .seed = 17 },
    /* With fewer channels relu sets all of them to 0 in places, and the next block then starts at
     * the kink of its own relu, where differences are no gradient. */
    { .model = "mstgcn", .options = "hidden=3\nchannels=8\nstride=2\n", .seed = 18 },
    { .model = "mstgcn", .options = "hidden=3\nchannels=8\npublished=True\n", .seed = 19 },
    { .model = "astgcn", .options = "hidden=3\nchannels=8\nstride=2\n", .seed = 20 },
    { .model = "astgcn", .options = "hidden=3\nchannels=8\npublished=True\n", .seed = 21 },
    { .model = "gman", .options = "heads=2\nwidth=2\nblocks=1\n", .seed = 21 },
    { .model = "gman",
      .options = "heads=1\nwidth=3\nblocks=1\ncausal=True\n",
      .day_of_week = true,
      .seed = 25 },
    { .model = "mtgnn",
      .options = "channels=4\nskip=3\nend=5\nlayers=2\nneighbours=3\nembedding=3\nsaturation=1\n",
      .seed = 23 },
    { .model = "mtgnn",
      .options = "channels=4\nskip=3\nend=3\nlayers=1\ndepth=1\nembedding=2\ndropout=0\n",
      .seed = 24 },
    { .model = "gwnet", .options = "hidden=3\nskip=4\nend=5\nblocks=2\nembedding=2\n", .seed = 18 },
    { .model = "gwnet",
      .options = "hidden=3\nskip=4\nend=5\nblocks=1\nlayers=3\nembedding=0\n",
      .seed = 19 },
    { .model = "stid", .options = "embedding=3\nlayers=2\n", .day_of_week = true, .seed = 20 },
    { .model = "stid", .options = "embedding=4\nlayers=1\n", .seed = 21 },
    { .model = "staeformer",
      .options = "embedding=2\nadaptive-embedding=4\nfeedforward=5\nheads=2\nlayers=1\n",
      .day_of_week = true,
      .seed = 22 },
    { .model = "fc-lstm", .options = "hidden=4\nlayers=2\n", .seed = 23 },
    { .model = "fc-lstm", .options = "hidden=4\nlayers=1\nshared=True\n", .seed = 24 },
    { .model = "dgcrn",
      .options = "hidden=3\nembedding=3\nhyper=3\n",
      .day_of_week = true,
      .seed = 25 },
    { .model = "lrgcn", .options = "hidden=4\n", .seed = 26 },
    { .model = "dygrencoder", .options = "channels=4\nhidden=3\n", .seed = 27 },
    { .model = "dygrencoder", .options = "channels=3\nhidden=3\naggr=add\n", .seed = 28 },
    { .model = "evolvegcn-o", .options = "lags=2\n", .seed = 29 },
    { .model = "evolvegcn-h", .options = "lags=2\nlayers=2\n", .seed = 30 },
    { .model = "evolvegcn-h", .options = "lags=1\nlayers=3\n", .seed = 31 },
    { .model = "evolvegcn-o", .options = "lags=2\nskip=True\nend=5\n", .seed = 32 },
    { .model = "d2stgnn",
      .options =
          "hidden=4\nembedding=2\ngate=5\nforecast=6\nend=5\nlayers=2\nkernel=2\nheads=2\ngap=2\n",
      .day_of_week = true,
      .seed = 26 },
    { .model = "d2stgnn",
      .options = "hidden=3\nembedding=2\ngate=4\nforecast=5\nend=6\nlayers=1\nheads=1\n",
      .seed = 27 },
};
enum { ROWS = sizeof models / sizeof *models };

static bool has_row(const char *model)
{
    for (int i = 0; i < ROWS; i++)
        if (strcmp(models[i].model, model) == 0) return true;
    return false;
}

struct tiny_config tiny_model(int row)
{
    if (row < ROWS) return models[row];
    for (int i = 0, n = ROWS; wf_model_types()[i]; i++)
        if (!has_row(wf_model_types()[i]->name) && n++ == row)
            return (struct tiny_config){ .model = wf_model_types()[i]->name, .options = "" };
    return (struct tiny_config){ 0 };
}

int tiny_model_count(void)
{
    int n = 0;
    while (tiny_model(n).model) n++;
    return n;
}

bool tiny_changing(int row, struct tiny_config *config)
{
    *config = tiny_model(row);
    config->dynamic = true;
    return wf_model_find(config->model)->graph != WF_NO_GRAPH && config->compat != WF_COMPAT_PGT &&
           !strstr(config->options, "stride=2");
}
