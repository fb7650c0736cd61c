"""A node is lost: what fails until the cluster knows it, and that nothing does from then on."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from cluster.place import Cluster
from cluster.releases import SMALL, Deployer
from cluster.traffic import Traffic
from waiting import until

pytestmark = pytest.mark.cluster

TIME_LIMIT_S, TRIES = 1.0, 3
# from the cluster's word that the node is lost until every kube-proxy has left its pods out
HEARD_S = 3.0
AFTERWARDS = 1_000
# few, with a pause, so that nobody waits for a second for a pod that has to do the work of two
CLIENTS, PAUSE_S = 4, 0.02
# A connection that was begun to a lost pod stays in the kernel's table of connections for two minutes
# (nf_conntrack_tcp_timeout_syn_sent), and whoever comes from the same port is sent to that pod again.
FRESH, FRESH_TOO, FEW = range(11_000, 20_000), range(20_000, 29_000), range(29_000, 29_032)


def test_after_a_power_cut_requests_fail_only_until_the_cluster_knows(
    cluster: Cluster, deployer: Deployer, bentos: tuple[str, str], body: bytes
) -> None:
    if not cluster.bed:
        pytest.skip("this cluster's nodes are not ours to cut off")
    deployer.deploy(bentos[0], *SMALL)
    assert deployer.ready("n1")
    assert deployer.ready("n2")
    wanted = len(deployer.ready())
    with (
        deployer.namespace.address("service/people", 80) as url,
        Traffic(url, body, CLIENTS, timeout_s=TIME_LIMIT_S, ports=FRESH) as once,
        Traffic(url, body, CLIENTS, timeout_s=TIME_LIMIT_S, tries=TRIES, ports=FRESH_TOO) as again,
        Traffic(url, body, CLIENTS // 2, timeout_s=TIME_LIMIT_S, ports=FEW) as from_few_ports,
        Traffic(deployer.urls(), body, CLIENTS, timeout_s=TIME_LIMIT_S, tries=TRIES) as elsewhere,
    ):
        for traffic in (once, again, elsewhere, from_few_ports):
            traffic.pause_s = PAUSE_S
        until(lambda: once.sent > 200)
        cut = time.monotonic()
        with cluster.power_cut("n2"):
            cluster.kubectl("wait", "--for=condition=Ready=Unknown", "node/n2", "--timeout=60s")
            known = time.monotonic() - cut
            before = once.sent
            until(lambda: once.sent > before + AFTERWARDS, 120)
            until(lambda: len(deployer.ready("n1")) >= wanted, 120)
            replaced = time.monotonic() - cut

    print(f"known after {known:.1f} s, as many pods ready again after {replaced:.1f} s")
    every = {"once": once, "again": again, "again elsewhere": elsewhere, "once, from few ports": from_few_ports}
    for name, traffic in every.items():
        seconds = Counter(int(failure.at - cut) for failure in traffic.failures)
        print(
            f"| {name} | {traffic.sent} | {len(traffic.failures)} | {dict(sorted(seconds.items()))} |", traffic.failed
        )
    assert once.failures
    heard = cut + known + HEARD_S
    assert [failure for failure in once.failures + again.failures if failure.at > heard] == []
    assert elsewhere.failures == []
    # the control; a port can also be in use still
    timed_out = [failure for failure in from_few_ports.failures if failure.reason.startswith("TimeoutError")]
    late = {failure.port for failure in timed_out if failure.at > heard}
    assert late
    assert late <= {failure.port for failure in timed_out if failure.at <= heard}
