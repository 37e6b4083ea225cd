"""Who may do what, at every address there is. Written by hand: a new address wants a line here."""

#: Page, who may look at it, and who may send its form: anybody, nobody (with an account and no rights), viewer,
#: operator, admin. "-" is a 405; "=" means that sending something to it does nothing more than looking.
PAGES = """
admin/login/ anybody anybody
login anybody anybody
logout - anybody
own-password nobody nobody
invitation anybody anybody
health:live anybody -
health:ready anybody -
first-login anybody anybody
dashboard:overview viewer =
dashboard:task viewer admin
dashboard:metrics viewer =
dashboard:logs viewer =
dashboard:deploys viewer =
dashboard:reference viewer =
dashboard:runs viewer =
dashboard:runs_live viewer =
dashboard:runs_counts viewer =
dashboard:runs_suggest viewer =
dashboard:compare viewer =
dashboard:run viewer =
dashboard:run_live viewer =
dashboard:run_beside viewer =
dashboard:run_key viewer operator
dashboard:run_snippet viewer =
dashboard:run_send - operator
dashboard:run_tag - operator
dashboard:run_note - operator
dashboard:run_span viewer =
dashboard:run_write - operator
dashboard:replay viewer operator
dashboard:cancel viewer operator
dashboard:reveal operator admin
dashboard:pin - operator
dashboard:edit viewer operator
dashboard:unlock - operator
dashboard:raw_logs operator =
dashboard:raw_trace operator =
dashboard:raw_report operator =
dashboard:raw operator =
dashboard:bulk_actions viewer =
dashboard:bulk_new viewer operator
dashboard:bulk_pace viewer =
dashboard:purge viewer admin
dashboard:bulk_action viewer operator
dashboard:short_bulk viewer =
dashboard:errors viewer =
dashboard:flaky viewer =
dashboard:error viewer operator
dashboard:error_short viewer =
dashboard:batch_short viewer =
dashboard:waitpoint_short viewer =
dashboard:schedule_short viewer =
dashboard:short viewer =
dashboard:test viewer =
dashboard:template_delete - operator
dashboard:test_task viewer operator
dashboard:queues viewer admin
dashboard:queue viewer admin
dashboard:schedules viewer =
dashboard:schedule_new viewer admin
dashboard:schedule_preview viewer =
dashboard:schedule_agenda viewer =
dashboard:schedule viewer admin
dashboard:schedule_run - operator
dashboard:schedule_backfill viewer operator
dashboard:schedule_edit viewer admin
dashboard:schedule_delete viewer admin
dashboard:batches viewer =
dashboard:batch viewer =
dashboard:waitpoints viewer =
dashboard:waitpoint viewer operator
dashboard:skip_wait - operator
dashboard:answer anybody anybody
dashboard:variables viewer =
dashboard:variable_new viewer admin
dashboard:variables_import viewer admin
dashboard:variable_edit viewer admin
dashboard:variable_delete viewer admin
dashboard:workers viewer admin
dashboard:settings viewer =
dashboard:members admin admin
dashboard:member admin admin
dashboard:alerts admin =
dashboard:alert_channel_new admin admin
dashboard:alert_channel admin admin
dashboard:alert_test - admin
dashboard:alert_rule_new admin admin
dashboard:alert_rule admin admin
dashboard:alert_again - admin
dashboard:alert_delete admin admin
dashboard:retention admin admin
dashboard:retention_export admin =
dashboard:limits viewer =
dashboard:health viewer =
dashboard:audit admin =
dashboard:audit_csv admin =
dashboard:keys admin admin
dashboard:key_revoke admin admin
dashboard:views viewer =
dashboard:view_save - viewer
dashboard:view viewer viewer
dashboard:jump viewer =
dashboard:shortcuts viewer =
dashboard:me viewer =
dashboard:preferences - viewer
"""

#: Endpoint, method, and which keys it takes: trigger, viewer, operator, variables (e), admin; "p" where a public
#: token with the right scope may; "*" asks for no key: what stands in its address is signed, or open to all.
ENDPOINTS = """
api:trigger POST toap
api:runs GET voap
api:project_runs GET voap
api:run GET voap
api:run_v1 GET voap
api:cancel POST oap
api:replay POST oa
api:edit POST oa
api:unlock POST oa
api:metadata GET voa
api:metadata PUT oa
api:tags POST oa
api:trace GET voa
api:trace_v3 GET voa
api:events GET voa
api:events_v3 GET voa
api:result GET voa
api:run_packet GET voap
api:packet_place PUT toa
api:packet GET voap
api:packet_content GET *
api:packet_content PUT *
api:batch_create POST toap
api:batch_items POST toap
api:batch_results GET voa
api:batch_results_v2 GET voa
api:batch GET voap
api:batch_v1 GET voap
api:reschedule POST oa
api:reset_key POST oap
api:errors GET voa
api:error GET voa
api:error_resolve POST oa
api:error_ignore POST oa
api:error_unresolve POST oa
api:bulk_actions GET voa
api:bulk_actions POST oa
api:bulk_action GET voa
api:bulk_abort POST oa
api:purge POST a
api:pause_all POST a
api:api_keys GET a
api:api_keys POST a
api:api_key_revoke POST a
api:tasks GET voa
api:task_pause POST a
api:queues GET voa
api:queue GET voa
api:queue_pause POST a
api:queue_override POST a
api:queue_reset POST a
api:schedules GET voa
api:schedules POST a
api:schedule GET voa
api:schedule PUT a
api:schedule DELETE a
api:activate POST a
api:deactivate POST a
api:timezones GET *
api:envvars GET ea
api:envvars POST ea
api:envvars_import POST ea
api:envvars_import GET ea
api:envvars_import PUT ea
api:envvars_import DELETE ea
api:envvar GET ea
api:envvar PUT ea
api:envvar DELETE ea
api:tokens GET voa
api:tokens POST oa
api:token GET voa
api:complete POST oap
api:token_fail POST oa
api:callback POST *
api:claims POST tvoa
api:public_tokens POST tvoa
api:webhook POST *
api:openapi GET *
api:metrics GET voa
realtime:tagged GET voap
realtime:run GET voap
realtime:batch GET voap
realtime:input POST oap
realtime:append POST oa
realtime:write PUT oa
realtime:write POST oa
realtime:stream GET voap
"""
#: Patterns that answer every other path below theirs with a 404.
REST = {"api:^api/v\\d+(?P<rest>/(?s:.*))$", "realtime:^realtime/(?P<rest>(?s:.*))$"}

LEVELS = ("anybody", "nobody", "viewer", "operator", "admin")


def pages() -> dict[str, tuple[str, str]]:
    """Who may look, and who may act; what answers a form as it answers a look has the same twice."""
    found = {}
    for line in PAGES.split("\n")[1:-1]:
        name, look, act = line.split(" ")
        found[name] = (look, act)
    return found


def endpoints() -> dict[tuple[str, str], str]:
    """Letters of those who may, by name and method."""
    lines = [line.split(" ") for line in ENDPOINTS.split("\n")[1:-1]]
    return {(name, method): letters for name, method, letters in lines}
