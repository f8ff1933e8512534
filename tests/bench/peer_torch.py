"""The step of bench_step's dcrnn-pgt rows, written for speed in plain PyTorch: forward, masked MAE,
backward, Adam.

    python3 tests/bench/peer_torch.py [--device cuda|cpu] [--precision float32|tf32|bf16] [--hidden H ..]

The gates share one product, the inputs' part of both products is made for all steps at once, the
supports' polynomials are made beforehand, dense or CSR; the elementwise work of a cell is compiled
or not; Adam is fused; the whole iteration is one CUDA graph. Every row is the quickest of the four
combinations, which are printed below it. With bf16 the products read bf16; states, sums and weights
stay float32."""
import torch

import peers

K = 2  # hops per direction


class Csr(torch.autograd.Function):
    """P x for a sparse P, whose transpose is kept for the gradient."""

    @staticmethod
    def forward(ctx, P, Pt, x):
        ctx.Pt = Pt
        return torch.sparse.mm(P, x)

    @staticmethod
    def backward(ctx, dy):
        return None, None, torch.sparse.mm(ctx.Pt, dy.contiguous())


def polynomials():
    """Dense [N, M, N]: the node itself, then T_1 = S, T_2 = 2 S S - 1 of both random walks."""
    (source, target), weight = peers.graph()
    A = torch.zeros(peers.N, peers.N).index_put_((source, target), weight, accumulate=True)
    one, terms = torch.eye(peers.N), [torch.eye(peers.N)]
    for walk in (A / A.sum(1, keepdim=True), A.t() / A.t().sum(1, keepdim=True)):
        S = walk.t()
        terms += [S, 2 * S @ S - one]
    return torch.stack(terms, 1)


class Dcrnn(torch.nn.Module):
    def __init__(self, hidden, o, dense, compiled):
        super().__init__()
        M, H = 1 + 2 * K, hidden
        self.H, self.dense = H, dense
        self.low = torch.bfloat16 if o.precision == "bf16" else torch.float32
        P = polynomials().reshape(peers.N * M, peers.N)
        if dense:
            self.register_buffer("P", P.to(self.low))
        else:
            self.register_buffer("P", P.to_sparse_csr())
            self.register_buffer("Pt", P.t().contiguous().to_sparse_csr())
        self.inputs = torch.nn.Linear(M * 2, 3 * H)  # of both gates and the candidate
        self.gates = torch.nn.Parameter(torch.randn(M * H, 2 * H) / (M * H) ** 0.5)
        self.candidate = torch.nn.Parameter(torch.randn(M * H, H) / (M * H) ** 0.5)
        self.head = torch.nn.Linear(H, 1) if H > 2 else None

        def reset(a, gx, h):  # [r z] = sigmoid(a + gx)
            r, z = torch.sigmoid(a.float() + gx[..., : 2 * H]).chunk(2, -1)
            return r * h, z

        def update(a, gx, h, z):  # z h + (1 - z) tanh(a + gx)
            c = torch.tanh(a.float() + gx[..., 2 * H :])
            return c + z * (h - c)

        self.reset, self.update = (torch.compile(f) if compiled else f for f in (reset, update))

    def hops(self, x):
        """x [G, N, C] -> [G, N, M C]"""
        G, N, C = x.shape
        if self.dense and C >= 16:  # no copies; narrower ones are too small for products of their own
            return torch.bmm(self.P.expand(G, -1, -1), x.to(self.low)).view(G, N, -1)
        flat = x.transpose(0, 1).reshape(N, G * C)
        y = self.P @ flat.to(self.low) if self.dense else Csr.apply(self.P, self.Pt, flat)
        return y.view(N, -1, G, C).permute(2, 0, 1, 3).reshape(G, N, -1).to(self.low)

    def forward(self, x):
        B, T, N, _ = x.shape
        weights, bias = self.inputs.weight.to(self.low), self.inputs.bias
        gx = self.hops(x.transpose(0, 1).reshape(T * B, N, 2)) @ weights.t()
        gx = (gx.float() + bias).view(T, B, N, -1)
        gates, candidate = self.gates.to(self.low), self.candidate.to(self.low)
        h, out = x.new_zeros(B, N, self.H), []
        for t in range(T):
            rh, z = self.reset(self.hops(h) @ gates, gx[t], h)
            h = self.update(self.hops(rh) @ candidate, gx[t], h, z)
            out.append(h)
        state = torch.stack(out, 1)  # [B, T, N, H]
        if self.head is None:
            return state[..., :1]
        weights = self.head.weight.to(self.low)
        return (state.relu().to(self.low) @ weights.t()).float() + self.head.bias


def captured(step):
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def measure(hidden, o, dense, compiled):
    torch.manual_seed(1)
    torch.compiler.reset()  # of one code no more than eight variants are compiled
    x, y = peers.batch(o.device)
    model = Dcrnn(hidden, o, dense, compiled).to(o.device)
    on_device = {"fused": True, "capturable": True} if o.device == "cuda" else {}
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, **on_device)

    def step():
        adam.zero_grad(set_to_none=True)
        peers.loss(model(x), y).backward()
        adam.step()

    return peers.time_of(captured(step) if o.device == "cuda" else step, o.device)


def run(hidden, o):
    best, tried = float("inf"), []
    if o.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for dense, compiled in ((True, False), (True, True), (False, False), (False, True)):
        name = ("dense" if dense else "CSR") + (", compiled" if compiled else "")
        if compiled and o.device == "cpu":
            continue
        try:
            ms = measure(hidden, o, dense, compiled)
            best = min(best, ms)
            tried.append(f"{name} {ms:.4g} ms")
        except Exception as e:  # one of the four may be beyond this PyTorch
            tried.append(f"{name} failed: {str(e).splitlines()[0][:60]}")
    peers.line(f"torch DCRNN N 325, B 64, hidden {hidden}", best, o.device)
    print("  " + "; ".join(tried), flush=True)


if __name__ == "__main__":
    options = peers.options("PyTorch")
    for hidden in options.hidden:
        run(hidden, options)
