"""The step of bench_step's dcrnn-pgt rows by PyTorch Geometric Temporal's own BatchedDCRNN, as its
experiments train it: forward, masked MAE, backward, Adam.

    pip install --no-deps torch_geometric_temporal==0.56.2    # beside torch and torch_geometric
    python3 tests/bench/peer_pgt.py [--device cuda|cpu] [--precision float32|tf32] [--hidden H ..]

Only the class's own file is loaded: the package as a whole imports torch_sparse, torch_scatter and
dask, none of which BatchedDCRNN uses, so nothing has to stand in for them. With bf16 its products
run under autocast. Measured with torch_geometric 2.6.1 and later."""
import importlib.util
import os
import sys

import torch

import peers


def published():
    package = importlib.util.find_spec("torch_geometric_temporal")
    if package is None:
        sys.exit("peer_pgt: no package torch_geometric_temporal; see the top of this file")
    path = os.path.join(package.submodule_search_locations[0], "nn", "recurrent", "dcrnn.py")
    spec = importlib.util.spec_from_file_location("pgt_dcrnn", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["pgt_dcrnn"] = module  # message passing imports the class's module by name
    spec.loader.exec_module(module)
    return module.BatchedDCRNN


def run(BatchedDCRNN, hidden, o):
    edge_index, edge_weight = (t.to(o.device) for t in peers.graph())
    x, y = peers.batch(o.device)
    cell = BatchedDCRNN(2, hidden, K=3).to(o.device)
    head = torch.nn.Linear(hidden, 1).to(o.device) if hidden > 2 else None
    params = list(cell.parameters()) + (list(head.parameters()) if head else [])
    adam = torch.optim.Adam(params, lr=1e-3)

    def step():
        adam.zero_grad()
        with torch.autocast(o.device, torch.bfloat16, enabled=o.precision == "bf16"):
            state = cell(x, edge_index, edge_weight)  # [B, T, N, hidden]
            state = head(state.relu()) if head else state[..., :1]
        loss = peers.loss(state, y)
        loss.backward()
        adam.step()

    if o.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    peers.line(f"pgt BatchedDCRNN N 325, B 64, hidden {hidden}", peers.time_of(step, o.device),
               o.device)


if __name__ == "__main__":
    options = peers.options("PyTorch Geometric Temporal")
    for hidden in options.hidden:
        run(published(), hidden, options)
