"""The store: newest version wins, what is gone stays gone, and ghosts are pruned."""

from specsync.kube.store import Store
from specsync.resources import SyncJob
from specsync.resources.meta import ObjectMeta
from specsync.resources.syncjob import SyncJobSpec, Target


def job(version: int, *, uid: str = "u1", name: str = "a-1", target: str = "a") -> SyncJob:
    return SyncJob(
        metadata=ObjectMeta(name=name, namespace="ns", uid=uid, resource_version=str(version)),
        spec=SyncJobSpec(target=Target(name=target)),
    )


def new_store() -> Store[SyncJob]:
    return Store(SyncJob, owner=lambda found: found.spec.target.name)


def version_of(store: Store[SyncJob], name: str = "a-1") -> str | None:
    found = store.get("ns", name)
    return found.metadata.resource_version if found else None


def test_the_newest_version_wins_whatever_the_order() -> None:
    store = new_store()
    assert store.put(job(9))
    assert not store.put(job(9)), "the same version is no news"
    assert not store.put(job(8))
    assert store.put(job(10)), "versions are numbers: 10 is newer than 9"
    assert version_of(store) == "10"


def test_listeners_hear_of_news_only() -> None:
    store, heard = new_store(), []
    store.on_change.append(lambda found: heard.append(found.metadata.resource_version))
    store.put(job(1))
    store.put(job(1))
    store.put(job(3))
    store.put(job(2))
    store.bury(job(4))
    assert heard == ["1", "3", "4"]


def test_a_late_event_from_before_a_removal_brings_nothing_back() -> None:
    store = new_store()
    store.put(job(5))
    store.remove(job(7))
    assert not store.put(job(6))
    assert not store.put(job(7))
    assert version_of(store) is None


def test_an_object_that_comes_back_into_the_selector_is_taken() -> None:
    store = new_store()
    store.put(job(5))
    store.remove(job(7))
    assert store.put(job(8))
    assert version_of(store) == "8"


def test_a_removal_that_is_older_than_what_is_known_does_nothing() -> None:
    store = new_store()
    store.put(job(8))
    store.remove(job(7))
    assert version_of(store) == "8"


def test_a_deleted_object_never_comes_back_but_its_name_may() -> None:
    store = new_store()
    store.put(job(5))
    store.bury(job(6))
    assert not store.put(job(9))
    assert store.put(job(10, uid="u2"))
    store.bury(job(6))
    assert version_of(store) == "10", "the deletion of the older object isn't one of the newer"


def test_a_late_event_of_an_older_object_of_the_same_name_is_no_news() -> None:
    store = new_store()
    store.put(job(10, uid="u2"))
    assert not store.put(job(9, uid="u1"))
    assert [found.metadata.uid for found in store] == ["u2"]


def test_the_index_follows_an_object_that_was_made_anew_for_another_owner() -> None:
    store = new_store()
    store.put(job(1, target="a"))
    store.put(job(2, uid="u2", target="b"))
    assert store.owned_by("ns", "a") == []
    assert [found.metadata.uid for found in store.owned_by("ns", "b")] == ["u2"]


def test_pruning_removes_ghosts_and_takes_what_was_missed() -> None:
    store = new_store()
    store.put(job(1, uid="ghost", name="ghost"))
    store.put(job(2, uid="kept", name="kept"))
    store.prune([job(2, uid="kept", name="kept"), job(3, uid="missed", name="missed")], store.versions())
    assert sorted(found.metadata.name for found in store) == ["kept", "missed"]
    assert store.owned_by("ns", "a") != []


def test_pruning_spares_what_came_or_changed_while_the_list_was_read() -> None:
    store = new_store()
    store.put(job(1, uid="u1", name="changed"))
    before = store.versions()
    store.put(job(5, uid="u1", name="changed"))
    store.put(job(6, uid="u2", name="new"))
    store.prune([], before)
    assert sorted(found.metadata.name for found in store) == ["changed", "new"]


def test_a_list_from_before_a_removal_does_not_bring_the_object_back() -> None:
    store = new_store()
    store.put(job(1))
    before = store.versions()
    store.remove(job(2))
    store.prune([job(1)], before)
    assert len(store) == 0


def test_a_server_that_was_put_back_counts_from_where_it_is_now() -> None:
    store, heard = new_store(), []
    store.put(job(50, uid="u1", name="changed"))
    store.put(job(60, uid="u2", name="made-since"))
    store.put(job(40, uid="u3", name="deleted-since"))
    store.bury(job(70, uid="u3", name="deleted-since"))
    store.on_change.append(lambda found: heard.append(found.metadata.name))
    store.start_over([job(30, uid="u1", name="changed"), job(40, uid="u3", name="deleted-since")])
    assert {found.metadata.name: found.metadata.resource_version for found in store} == {
        "changed": "30",
        "deleted-since": "40",
    }
    assert sorted(heard) == ["changed", "deleted-since", "made-since"]
    assert store.put(job(31, uid="u1", name="changed"))
    assert len(store.owned_by("ns", "a")) == 2
