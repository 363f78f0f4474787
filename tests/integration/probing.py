"""What kubelets and Prometheus see of a process: its probes and its metrics."""

import http.client

from prometheus_client.parser import text_string_to_metric_families

from devcluster.components import free_port

LOOPBACK = "127.0.0.1"


class Probed:
    """Where a process is to serve its probes: start it with `options`."""

    def __init__(self) -> None:
        self._port = free_port()
        self.options = ("--probes-port", str(self._port))

    def get(self, path: str) -> tuple[int, str]:
        """Status and text; 0 where nobody answers."""
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError as error:
            return 0, str(error)
        finally:
            connection.close()

    def is_alive(self) -> bool:
        return self.get("/livez")[0] == 200

    def is_ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def metric(self, name: str, **labels: str) -> float:
        """The sum of all series of that name with these labels; 0 where there is none."""
        _, text = self.get("/metrics")
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )
