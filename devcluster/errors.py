"""What can go wrong with a control plane. Every text is one sentence for the user, with the next step."""


class DevclusterError(Exception):
    """The control plane cannot be built, started, reached or stopped; the text says what to do."""


class KubectlError(DevclusterError):
    """kubectl ended with an exit code other than 0. `stderr` and `stdout` hold what it wrote."""

    def __init__(self, command: str, exit_code: int, stdout: str, stderr: str) -> None:
        super().__init__(f"`{command}` ended with exit code {exit_code}: {stderr.strip() or stdout.strip()}")
        self.exit_code = exit_code
        self.stdout = stdout
        self.stderr = stderr
