"""The words of reach and of frequent attenders in Dutch and English."""

from typing import Final

MONITORING_TERMS: Final[dict[str, tuple[str, str]]] = {
    # reach
    "dimension_all": ("Iedereen", "Everybody"),
    "dimension_age_band": ("Leeftijd", "Age"),
    "dimension_sex": ("Geslacht", "Sex"),
    "dimension_municipality": ("Gemeente", "Municipality"),
    "dimension_income": ("Inkomen van de buurt", "Neighbourhood income"),
    "area_all": ("Alle gebieden", "All areas"),
    "income_1": ("1 (laagste)", "1 (lowest)"),
    "income_5": ("5 (hoogste)", "5 (highest)"),
    "unknown": ("onbekend", "unknown"),
    "step_referred": ("Verwezen", "Referred"),
    "step_intake": ("Intakegesprek", "Intake"),
    "step_started": ("Activiteit gestart", "Activity started"),
    "step_completed": ("Afgerond", "Completed"),
    "stage_before_intake": ("Voor de intake", "Before the intake"),
    "stage_before_activity": ("Na de intake, voor een activiteit", "After the intake, before an activity"),
    "stage_in_activity": ("Tijdens de activiteit", "During the activity"),
    "outcome_completed_later": ("later afgerond", "completed later"),
    "flag_ok": ("", ""),
    "flag_no_registered": ("geen ingeschrevenen", "nobody registered"),
    "flag_few_registered": ("weinig ingeschrevenen", "few registered"),
    "flag_no_referrals": ("geen verwijzingen", "no referrals"),
    "flag_not_followed": ("nog niet lang genoeg gevolgd", "not followed long enough yet"),
    "position_within": ("binnen de grenzen", "within the limits"),
    "position_above": ("boven 95%", "above 95%"),
    "position_below": ("onder 95%", "below 95%"),
    "position_far_above": ("boven 99,8%", "above 99.8%"),
    "position_far_below": ("onder 99,8%", "below 99.8%"),
    "shift_yes": ("ja", "yes"),
    "shift_no": ("nee", "no"),
    "shift_too_few_quarters": ("te weinig kwartalen", "too few quarters"),
    "reason_outside_period": (
        "Verwijzingen buiten de periode of te jong",
        "Referrals outside the period or too young",
    ),
    "reason_not_registered": (
        "Verwijzingen van wie op die dag niet was ingeschreven",
        "Referrals of who was not registered on that day",
    ),
    "reason_practice_without_registered": (
        "Praktijken zonder ingeschreven personen",
        "Practices without registered persons",
    ),
    "reason_quarter_without_registered": (
        "Kwartalen van een gemeente zonder ingeschreven personen",
        "Quarters of a municipality without registered persons",
    ),
    "reason_quarter_with_few": (
        "Kwartalen van een gemeente met minder dan de helft van de gewone ingeschreven tijd",
        "Quarters of a municipality with less than half the usual registered time",
    ),
}
