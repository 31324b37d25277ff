from ingestion.recent_ids import RecentIds


def test_ids_that_come_again_are_counted_in_one_list_and_across() -> None:
    recent = RecentIds()
    assert recent.count_repeats(1, ["a", "b", "a"]) == 1
    assert recent.count_repeats(1, ["b", "c"]) == 1


def test_the_same_id_of_another_project_is_another_event() -> None:
    recent = RecentIds()
    assert recent.count_repeats(1, ["a"]) + recent.count_repeats(2, ["a"]) == 0


def test_what_was_long_ago_is_forgotten() -> None:
    recent = RecentIds(remembered=10)
    recent.count_repeats(1, ["old"])
    for number in range(10):
        recent.count_repeats(1, [f"{number}"])
    assert recent.count_repeats(1, ["old"]) == 1
    for number in range(30):
        recent.count_repeats(1, [f"later {number}"])
    assert recent.count_repeats(1, ["old"]) == 0
