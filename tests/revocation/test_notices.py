"""The knowledge of a process: sessions, users and everybody, and the doubts that only a row can settle."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drf_tessera.revocation.notices import (
    EVERYBODY,
    NOBODY,
    Doubt,
    Ended,
    Notice,
    Scope,
    is_about_keys,
    make_mark,
    make_notice_of_keys,
    names_tenant,
    read_entry,
    read_scope,
    write_entry,
    write_scope,
)

pytestmark = pytest.mark.once  # it asks no database

NOW = int(time.time())
UNTIL = NOW + 360
CERTAIN, DOUBTFUL = NOW - 60, NOW + 60


def of_user(sub: str = "7", *, kept: UUID = NOBODY, until: int = UNTIL) -> Notice:
    return Notice(kept, until, Scope(sub, CERTAIN, DOUBTFUL, make_mark()))


def is_in_doubt(ruling: bool | Doubt) -> bool:
    return isinstance(ruling, Doubt)


@pytest.fixture
def ended() -> Ended:
    return Ended()


class TestJudge:
    def test_a_process_that_knows_nothing_refuses_nobody(self, ended: Ended) -> None:
        assert not ended
        assert ended.judge(uuid4(), "7", 0) is False

    def test_a_session_has_ended_and_no_other(self, ended: Ended) -> None:
        key = uuid4()
        ended.learn([Notice(key, UNTIL)])
        assert ended
        assert ended.judge(key, "7", NOW) is True
        assert ended.judge(uuid4(), "7", NOW) is False

    @pytest.mark.parametrize(
        ("began", "expected"),
        [
            (0, "ended"),
            (CERTAIN - 1, "ended"),
            (CERTAIN, "doubt"),
            (NOW, "doubt"),
            (DOUBTFUL, "doubt"),
            (DOUBTFUL + 1, "live"),
        ],
        ids=["first", "before", "certain", "now", "doubtful", "after"],  # the seconds differ in each process
    )
    def test_the_notice_of_a_user_goes_by_the_begin_of_a_session(
        self, ended: Ended, began: int, expected: str
    ) -> None:
        ended.learn([of_user("7")])
        ruling = ended.judge(uuid4(), "7", began)
        assert ("doubt" if is_in_doubt(ruling) else "ended" if ruling else "live") == expected
        assert ended.judge(uuid4(), "70", began) is False

    def test_the_kept_session_lives_on_and_may_end_later(self, ended: Ended) -> None:
        kept = uuid4()
        ended.learn([of_user("7", kept=kept)])
        for began in (0, NOW):
            assert ended.judge(kept, "7", began) is False
        assert ended.judge(uuid4(), "7", 0) is True
        ended.learn([of_user("7", kept=uuid4())])
        assert ended.judge(kept, "7", 0) is True

    def test_a_notice_about_everybody_is_about_each_user(self, ended: Ended) -> None:
        ended.learn([Notice(NOBODY, UNTIL, Scope(EVERYBODY, NOW, NOW - 1, 1))])
        for sub in ("7", "8", EVERYBODY):
            assert ended.judge(uuid4(), sub, NOW - 1) is True
            assert ended.judge(uuid4(), sub, NOW) is False


class TestSettle:
    def settle(self, ended: Ended, key: UUID, *, has_ended: bool, began: int = NOW) -> None:
        ruling = ended.judge(key, "7", began)
        assert isinstance(ruling, Doubt)
        ended.settle(key, ruling, has_ended=has_ended)

    @pytest.mark.parametrize("has_ended", [True, False])
    def test_the_row_is_asked_once(self, ended: Ended, has_ended: bool) -> None:
        key, other = uuid4(), uuid4()
        ended.learn([notice := of_user()])
        self.settle(ended, key, has_ended=has_ended)
        assert ended.judge(key, "7", NOW) is has_ended
        ended.learn([notice])  # a reader may read it again
        ended.learn([notice._replace(until=UNTIL + 1)])
        assert ended.judge(key, "7", NOW) is has_ended
        assert is_in_doubt(ended.judge(other, "7", NOW))

    def test_a_second_notice_within_the_same_second_asks_again(self, ended: Ended) -> None:
        """The row had not ended after the first notice. The second notice may have ended it."""
        key = uuid4()
        ended.learn([of_user()])
        self.settle(ended, key, has_ended=False)
        ended.learn([of_user()])
        self.settle(ended, key, has_ended=True)
        assert ended.judge(key, "7", NOW) is True

    @pytest.mark.parametrize("began", [0, NOW], ids=["long ago", "now"])
    def test_as_long_as_its_transaction_is_open_each_answer_is_the_row_s(
        self, ended: Ended, began: int
    ) -> None:
        key = uuid4()
        ended.learn([notice := of_user()])
        ended.doubt([notice])
        for _ in range(2):
            self.settle(ended, key, has_ended=True, began=began)
        ended.trust([notice])
        if began < CERTAIN:
            assert ended.judge(key, "7", began) is True
        else:
            self.settle(ended, key, has_ended=True, began=began)

    def test_a_notice_that_was_rolled_back_is_forgotten_and_no_other(self, ended: Ended) -> None:
        key = uuid4()
        rolled_back = of_user()
        committed = rolled_back._replace(scope=Scope("7", CERTAIN - 100, CERTAIN - 90, make_mark()))
        ended.learn([committed, rolled_back])
        ended.doubt([rolled_back])
        for _ in range(2):
            self.settle(ended, key, has_ended=False, began=CERTAIN - 1)
        ended.forget_pending([committed, rolled_back])
        assert ended.judge(key, "7", CERTAIN - 1) is False
        assert ended.judge(key, "7", CERTAIN - 101) is True

    def test_a_login_after_a_pending_notice_proves_nothing_about_it(self, ended: Ended) -> None:
        old, new = uuid4(), uuid4()
        ended.learn([notice := of_user()])
        ended.doubt([notice])
        for _ in range(2):
            self.settle(ended, new, has_ended=False)
            self.settle(ended, old, has_ended=True)

    def test_a_session_that_was_rolled_back_is_forgotten(self, ended: Ended) -> None:
        notice = Notice(uuid4(), UNTIL)
        ended.learn([notice])
        ended.doubt([notice])
        self.settle(ended, notice.session_id, has_ended=True)
        self.settle(ended, notice.session_id, has_ended=False)
        ended.forget_pending([notice, of_user()])
        assert ended.judge(notice.session_id, "7", NOW) is False
        assert notice.session_id not in ended

    @pytest.mark.parametrize("notice", [Notice(uuid4(), UNTIL), of_user()])
    def test_a_notice_that_is_committed_meanwhile_is_not_forgotten(
        self, ended: Ended, notice: Notice
    ) -> None:
        """Another thread has read the row before the commit, and says so after it."""
        key = uuid4() if notice.scope else notice.session_id
        ended.learn([notice])
        ended.doubt([notice])
        ruling = ended.judge(key, "7", 0)
        assert isinstance(ruling, Doubt)
        ended.trust([notice])
        ended.settle(key, ruling, has_ended=False)
        ended.forget_pending([notice])
        assert ended.judge(key, "7", 0) is True


class TestGenerations:
    @pytest.mark.slow
    @given(
        st.lists(st.tuples(st.integers(0, 900), st.integers(1, 900)), min_size=1, max_size=60),
        st.integers(0, 2000),
    )
    def test_no_notice_is_dropped_early_and_none_is_kept_for_long(
        self, heard: list[tuple[int, int]], late: int
    ) -> None:
        """It stays at most half of the time longer that it had left when it came."""
        ended, known = Ended(), dict[UUID, tuple[int, int]]()
        for at, left in sorted(heard):
            ended.drop_old(NOW + at)
            key = uuid4()
            ended.learn([Notice(key, NOW + at + left)])
            known[key] = (NOW + at, NOW + at + left)
        present = max(at for at, _ in heard) + NOW + late
        ended.drop_old(present)
        longest = max(left for _, left in heard)
        for key, (_, until) in known.items():
            if until >= present:
                assert key in ended
            if until + max(longest / 2, 16) < present:
                assert key not in ended

    def test_a_lookup_asks_few_generations(self, ended: Ended) -> None:
        for second in range(0, 3600, 5):
            ended.drop_old(NOW + second)
            ended.learn([Notice(uuid4(), NOW + second + 361)])
            assert len(ended._generations) <= 5

    def test_a_pending_notice_is_forgotten_with_its_time(self, ended: Ended) -> None:
        ended.doubt([Notice(uuid4(), NOW + 10), of_user(until=NOW + 10)])
        ended.drop_old(NOW + 11)
        assert not ended._pending


class TestEntries:
    @pytest.mark.slow
    @given(
        st.builds(
            Notice,
            st.uuids(),
            st.integers(0, 2**40),
            st.none()
            | st.builds(
                Scope,
                st.text(max_size=20),
                st.integers(0, 2**40),
                st.integers(0, 2**40),
                st.integers(0, 2**63 - 1),
            ),
            st.none() | st.integers(1, 2**63 - 1),
        )
    )
    def test_a_notice_returns_as_it_was(self, notice: Notice) -> None:
        assert read_entry(write_entry(notice)) == notice
        assert read_scope(write_scope(notice.scope)) == notice.scope

    @pytest.mark.parametrize(
        "entry",
        [
            None,
            7,
            "text",
            (),
            ("a", 1, "", None),
            (uuid4().hex, "soon", "", None),
            (uuid4().hex, float("inf"), "", None),
            (uuid4().hex, 1, "", 0.5),
            (uuid4().hex, 1, ""),
            (uuid4().hex, None, "", None),
            (None, 1, "", None),
            (uuid4().hex, 1, "7", None),
            (uuid4().hex, 1, "a b c d", None),
            (uuid4().hex, 1, 7, None),
            (uuid4().hex, 1, "", "7"),
            (uuid4().hex, 1, "", 0),
            (uuid4().hex, 1, "", 2**63),
        ],
    )
    def test_a_foreign_entry_is_one_kind_of_error(self, entry: Any) -> None:
        with pytest.raises(ValueError, match=r".") as found:
            read_entry(entry)
        assert found.type is ValueError


def test_a_notice_about_keys_names_its_tenant() -> None:
    for tenant in ("", "one", "zwölf"):
        notice = make_notice_of_keys(UNTIL, tenant)
        assert is_about_keys(notice)
        assert [name for name in ("", "one", "two", "zwölf") if names_tenant(notice, name)] == [tenant]


def test_a_notice_that_is_not_known_is_not_missed() -> None:
    ended = Ended()
    ended.learn([Notice(uuid4(), UNTIL)])
    unknown = of_user()
    ended.doubt([unknown])
    ended.forget_pending([unknown])
    assert len(ended) == 1
