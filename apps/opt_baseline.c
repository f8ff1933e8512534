/* opt_baseline - data-parallel training with materialised windows spread over the ranks, the
 * baseline that index-batching is measured against: start it with mpirun -n P. Options are those of
 * the reference's experiment of this name, where --mode dask means ddp. */
#include "apps/experiment/experiment.h"

int main(int argc, char **argv)
{
    static const struct wf_word words[] = { { "mode", "dask", "ddp" }, { NULL, NULL, NULL } };
    static const struct wf_app app = {
        .about = "train on several ranks, materialised windows spread over them",
        .preset = "pgt-dcrnn",
        .settings = "dataset=pems-bay\nout=results/opt-baseline\nmode=index\nepochs=30\n",
        .words = words
    };
    return wf_experiment_main(argc, argv, &app);
}
