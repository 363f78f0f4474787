"""Documents that are made to harm: each costs one attempt with a clear reason, and the worker goes on."""

import pytest

from tests.integration.crew import contract
from tests.integration.documents import Documents
from tests.integration.hostile_documents import HARD_TO_JUDGE, REFUSED
from tests.integration.user import User


@pytest.mark.parametrize("case", REFUSED)
def test_a_hostile_document_has_a_reason_and_the_worker_goes_on(user: User, documents: Documents, case: str) -> None:
    body, reason, says = REFUSED[case]
    user.depend_on("hostile", documents.publish(f"/{user.namespace}/hostile", body))
    user.depend_on("shop", documents.publish(f"/{user.namespace}/shop", contract("Shop")))
    user.wait("dep/hostile", "condition=Ready=false", timeout=120)
    user.wait("dep/shop", "Ready")
    ready = user.condition("dep/hostile", "Ready")
    assert ready["reason"] == reason, ready["message"]
    assert says in ready["message"]
    [job] = [each for each in user.all("sjob") if each["spec"]["target"]["name"] == "hostile"]
    assert job["status"]["attempts"] == 1
    user.sync("shop", "Unchanged")


@pytest.mark.parametrize("case", HARD_TO_JUDGE)
def test_a_document_that_is_hard_to_judge_is_monitored_nonetheless(user: User, documents: Documents, case: str) -> None:
    user.depend_on("hostile", documents.publish(f"/{user.namespace}/hostile", HARD_TO_JUDGE[case]))
    user.wait("dep/hostile", "Ready", timeout=180)
    condition = user.condition("dep/hostile", "SpecValid")
    assert (condition["status"], condition["reason"]) in {("Unknown", "NotJudged"), ("False", "Defects")}
    user.sync("hostile", "Unchanged")
