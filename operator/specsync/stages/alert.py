"""alert: tells of the change set by a Kubernetes Event on the Dependency, once."""

from specsync.resources.reasons import Reason
from specsync.resources.syncjob import AlertOutput, DiffOutput, ParseOutput, PersistOutput
from specsync.stages.contract import Stage, StageContext, StageResult


async def run(context: StageContext) -> StageResult:
    change_set = context.output("persist", PersistOutput).change_set
    if not change_set:
        return StageResult(AlertOutput(), message="nothing to tell", ends="Changed")
    diff = context.output("diff", DiffOutput)
    parsed = context.output("parse", ParseOutput)
    name = context.dependency.spec.display_name or parsed.title or context.dependency.metadata.name
    event = await context.events.record(
        context.dependency,
        "Warning" if diff.breaking else "Normal",
        Reason.BREAKING_CHANGE if diff.breaking else Reason.CONTRACT_CHANGED,
        f"{name} {parsed.version}: {diff.breaking} breaking, {diff.risky} risky, {diff.safe} safe changes; "
        f"see: kubectl get chg {change_set} -o yaml, or kubectl specsync changes {change_set}",
        occasion=change_set,
    )
    return StageResult(AlertOutput(event=event), ends="Changed")


STAGE = Stage("alert", run, deadline=60.0)
