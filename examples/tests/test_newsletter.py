from newsletter import call_off_newsletter, mail_newsletter, plan_newsletter


def test_one_is_hurried_up_one_corrected_and_the_rest_called_off(trackside):
    ids = trackside.run(plan_newsletter, "spring").output
    assert len(ids) == 4
    trackside.drain()
    first, second, *_ = trackside.runs(mail_newsletter)
    assert first.output == "spring issue to ann sent with priority 3600"
    assert not second.is_final
    assert trackside.run(call_off_newsletter, "spring").output == 3
    assert second.status == "CANCELED"
    again = trackside.run(plan_newsletter, "spring").output
    assert set(again).isdisjoint(ids[1:])


def test_planned_twice_it_is_mailed_once(trackside):
    first, second = (trackside.run(plan_newsletter, "spring").output for _ in range(2))
    assert first == second
