// A stranger's ST-GNN in C++: the layers of stgnn.c, on a problem that the library makes.
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>
#include "models/check.h"
#include "models/gconvgru.h"
#include "nn/checkpoint.h"
#include "nn/gcn.h"
#include "nn/layers.h"
#include "nn/optim.h"

namespace {

constexpr int hidden = 8, horizon = 3, batch = 8;

void must(wf_status s, const wf_error &err)
{
    if (s != WF_OK) throw std::runtime_error(err.message);
}

struct Tape {
    wf_tape g;
    Tape()
    {
        wf_error err{};
        must(wf_tape_init(&g, wf_backend_cpu(), &err), err);
    }
    ~Tape() { wf_tape_free(&g); }
    Tape(const Tape &) = delete;
    Tape &operator=(const Tape &) = delete;
    void check() const { must(g.error.status, g.error); }
};

// Series, graph and windows of a wave round a ring, made for the supports of a type.
struct Ring {
    wf_check c;
    explicit Ring(const wf_model_type *type)
    {
        wf_error err{};
        wf_check_config cfg{};
        cfg.type = type;
        cfg.Q = horizon;
        must(wf_check_init(&c, &cfg, &err), err);
    }
    ~Ring() { wf_check_free(&c); }
    Ring(const Ring &) = delete;
    Ring &operator=(const Ring &) = delete;
};

struct Model {
    wf_params params;
    struct wf_cheb conv; // functions have the same names: struct says which is meant
    struct wf_gru cell;
    struct wf_linear head;

    Model(const Ring &ring, std::uint64_t seed)
    {
        wf_error err{};
        wf_params_init(&params, wf_backend_cpu());
        wf_cheb_init(&conv, &params, "conv", ring.c.windows.channels, hidden,
                     ring.c.graph.supports.terms, true);
        wf_gru_init(&cell, &params, "cell", hidden, hidden);
        wf_linear_init(&head, &params, "head", hidden, horizon);
        must(wf_params_commit(&params, seed, &err), err);
    }
    ~Model() { wf_params_free(&params); }
    Model(const Model &) = delete;
    Model &operator=(const Model &) = delete;

    // b.x [B, T, N, C] -> [B, Q, N, 1]
    wf_tensor *operator()(wf_tape *g, const wf_batch &b) const
    {
        const int shape[] = { b.B, b.N, hidden };
        wf_tensor *x = wf_tape_view(g, b.x), *h = wf_zeros(g, 3, shape);
        for (int t = 0; t < b.T; t++) {
            wf_tensor *u = wf_cheb(g, &conv, b.supports, wf_select(g, x, 1, t), WF_ACT_RELU);
            h = wf_gru(g, &cell, u, h); // [B, N, hidden]
        }
        return wf_unsqueeze(g, wf_permute(g, wf_linear(g, &head, h), 0, 2, 1), -1);
    }
};

double train(Tape &tape, Ring &ring, Model &m, wf_optim *adam, int index)
{
    wf_tape *g = &tape.g;
    wf_batch b{};
    wf_step step{};
    std::vector<int> start(batch);
    wf_real loss = 0;
    for (int i = 0; i < batch; i++) start[i] = (index * batch + i) * 37 % ring.c.windows.count;
    step.step = static_cast<std::uint64_t>(index);
    step.lr = 0.01;
    wf_tape_reset(g);
    wf_tape_set_step(g, &step);
    WF_RUN(g, wf_windows_batch(&ring.c.windows, &b, start.data(), batch));
    wf_batch_bind(g, &b, &ring.c.graph);
    wf_tensor *mae = wf_loss(g, m(g, b), &b.y_std, WF_MAE, WF_MASK_NONE);
    WF_RUN(g, wf_params_zero_grad(&m.params));
    wf_tape_backward(g, mae);
    WF_RUN(g, wf_optim_step(adam, g->step));
    WF_RUN(g, wf_tensor_download(mae, &loss));
    tape.check();
    return static_cast<double>(loss);
}

std::vector<wf_real> forecast(Ring &ring, const Model &m)
{
    Tape tape;
    wf_tape *g = &tape.g;
    wf_batch b{};
    const int start = 5;
    std::vector<wf_real> y(horizon * WF_CHECK_NODES);
    g->training = g->recording = false;
    WF_RUN(g, wf_windows_batch(&ring.c.windows, &b, &start, 1));
    wf_batch_bind(g, &b, &ring.c.graph);
    WF_RUN(g, wf_tensor_download(wf_contiguous(g, m(g, b)), y.data()));
    tape.check();
    return y;
}

void run()
{
    Ring ring(&wf_gconvgru_type);
    Model m(ring, 1), again(ring, 2);
    Tape tape;
    wf_error err{};
    wf_optim adam{};
    double first = 0, last = 0;
    must(wf_optim_init(&adam, &m.params, wf_optim_defaults(), &err), err);
    for (int i = 0; i < 150; i++) {
        last = train(tape, ring, m, &adam, i);
        if (i == 0) first = last;
    }
    wf_optim_free(&adam);
    if (!(last < 0.6 * first))
        throw std::runtime_error("loss " + std::to_string(first) + ", then " + std::to_string(last));
    wf_checkpoint save{}, load{};
    save.params = &m.params;
    load.params = &again.params;
    save.model = load.model = "stgnn";
    save.config = "";
    must(wf_checkpoint_save("stgnn_cc.h5", &save, &err), err);
    must(wf_checkpoint_load("stgnn_cc.h5", &load, &err), err);
    if (forecast(ring, m) != forecast(ring, again))
        throw std::runtime_error("another forecast from the checkpoint");
}

} // namespace

int main()
{
    try {
        run();
    } catch (const std::exception &e) {
        std::fprintf(stderr, "stgnn: %s\n", e.what());
        return 1;
    }
    return 0;
}
