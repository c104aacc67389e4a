"""The words of results in Dutch and English: codes of methods, windows, scales and directions."""

from typing import Final

from wor_eval.study import Lang

_TERMS: Final[dict[str, tuple[str, str]]] = {
    # age bands, arms and windows
    "all": ("Alle leeftijden", "All ages"),
    "referred": ("Verwezen", "Referred"),
    "comparison": ("Vergelijking", "Comparison"),
    "placebo": ("Jaar daarvoor (placebo)", "Year before that (placebo)"),
    "before": ("Ervoor", "Before"),
    "after": ("Erna", "After"),
    # scales and contrasts
    "ratio": ("Verhouding", "Ratio"),
    "difference": ("Verschil per persoonsjaar", "Difference per person-year"),
    "before_after": ("Voor en na", "Before and after"),
    "unexplained": ("Niet verklaard", "Not explained"),
    # methods
    "gee_poisson": ("Poisson, robuust (GEE)", "Poisson, robust (GEE)"),
    "negative_binomial_practice": (
        "Negatief-binomiaal, robuust per praktijk",
        "Negative binomial, robust by practice",
    ),
    "negative_binomial_person": (
        "Negatief-binomiaal, robuust per persoon",
        "Negative binomial, robust by person",
    ),
    "conditional_poisson": ("Conditionele Poisson", "Conditional Poisson"),
    "bootstrap_practice": ("Bootstrap over praktijken", "Bootstrap over practices"),
    "bootstrap_person": ("Bootstrap over personen", "Bootstrap over persons"),
    "robust": ("Verschil van frequenties, robuust", "Difference of rates, robust"),
    "same_course": ("Niet verwezen, zelfde verloop ervoor", "Not referred, same course before"),
    "own_earlier_year": ("Eigen jaar daarvoor, met trend", "Own earlier year, with trend"),
    "same_count": ("Niet verwezen, zelfde aantal ervoor", "Not referred, same count before"),
    "same_count_earlier": (
        "Niet verwezen, zelfde aantal een jaar eerder",
        "Not referred, same count a year earlier",
    ),
    "linear": ("Lineair (Galton)", "Linear (Galton)"),
    "barnett": ("Barnett (normale verdeling)", "Barnett (normal distribution)"),
    "gamma_poisson": ("Gamma-Poisson (scheve verdeling)", "Gamma-Poisson (skewed distribution)"),
    # contrasts and designs
    "contrast_after_only": ("Alleen erna", "After only"),
    "contrast_difference_in_differences": ("Verschil in verschillen", "Difference-in-differences"),
    "contrast_against_earlier_year": ("Tegen het eigen eerdere jaar", "Against the own earlier year"),
    "contrast_placebo": ("Placebocontrast", "Placebo contrast"),
    "covariate_age": ("Leeftijd", "Age"),
    "covariate_n_chronic": ("Chronische aandoeningen", "Chronic conditions"),
    "nearest": ("Dichtstbijzijnde", "Nearest neighbour"),
    "design_before_after": ("Voor en na, alleen verwezen", "Before and after, referred only"),
    "design_unmatched": ("Niet gematcht", "Unmatched"),
    "design_covariates": ("Gematcht op kenmerken", "Matched on covariates"),
    "design_placebo_year": ("+ jaar daarvoor", "+ year before that"),
    "design_quarters": ("+ kwartalen ervoor", "+ quarters before"),
    "design_quarters_earlier": ("+ kwartalen, tegen eerder jaar", "+ quarters, against earlier year"),
    "design_level": ("+ vast niveau en afwijking", "+ permanent level and deviation"),
    "design_ancova": ("ANCOVA", "ANCOVA"),
    "design_aipw": ("Dubbel robuust (AIPW)", "Doubly robust (AIPW)"),
    "history_none": ("geen historie", "no history"),
    "history_year": ("jaartotaal", "year total"),
    "history_quarters": ("kwartalen", "quarters"),
    "history_level": ("niveau", "level"),
    "level": ("vast niveau", "permanent level"),
    # design in numbers and checks
    "n_referred": ("Verwezen in de vergelijking", "Referred in the comparison"),
    "n_comparison": ("Vergelijkingspersonen", "Comparison persons"),
    "n_sets": ("Sets", "Sets"),
    "effective_comparison": (
        "Effectief aantal vergelijkingspersonen",
        "Effective number of comparison persons",
    ),
    "dropped_no_comparison": (
        "Verwezen zonder iemand in dezelfde groep",
        "Referred without anybody in the stratum",
    ),
    "dropped_caliper": (
        "Verwezen zonder iemand binnen de caliper",
        "Referred without anybody within the caliper",
    ),
    "dropped_used_up": (
        "Verwezen van wie de naasten al waren gebruikt",
        "Referred whose nearest were used up",
    ),
    "n_imputed": ("Ingevulde waarden", "Imputed values"),
    "reliability": ("Betrouwbaarheid van de historie", "Reliability of the history"),
    "headline": ("Hoofdschatting", "Headline"),
    "by_practice": ("Fouten robuust per praktijk", "Errors robust by practice"),
    "by_practice_cr2": ("Fouten robuust per praktijk (CR2)", "Errors robust by practice (CR2)"),
    "bootstrap_practice_difference": (
        "Verschil per persoonsjaar, bootstrap over praktijken",
        "Difference per person-year, bootstrap over practices",
    ),
    "leave_one_practice_out_lowest": ("Zonder één praktijk: laagste", "Without one practice: lowest"),
    "leave_one_practice_out_highest": ("Zonder één praktijk: hoogste", "Without one practice: highest"),
    "observed_follow_up": (
        "Verschil over de waargenomen tijd, per persoon",
        "Difference over the observed time, per person",
    ),
    "placebo_index_date": ("Placebo-indexdatum, twee jaar eerder", "Placebo index date, two years earlier"),
    "negative_control": ("Negatieve controle-uitkomst", "Negative-control outcome"),
    "age_band": ("Leeftijd", "Age"),
    "frequent_attender": ("Frequente bezoeker (bovenste tiende)", "Frequent attender (top tenth)"),
    "yes": ("ja", "yes"),
    "no": ("nee", "no"),
    "e_value": ("E-waarde (ondergrens: van het interval)", "E-value (lower limit: of the interval)"),
    "rosenbaum": ("Rosenbaum: omslagpunt gamma", "Rosenbaum: tipping gamma"),
    # directions and composition
    "fell": ("Gedaald", "Fell"),
    "stayed": ("Gelijk gebleven", "Stayed the same"),
    "rose": ("Gestegen", "Rose"),
    "all_rows": ("Iedereen die in een van beide is waargenomen", "Everybody observed in either window"),
    "both_windows": ("In beide vensters volledig waargenomen", "Fully observed in both windows"),
    "nothing_to_show": ("Te weinig personen om iets te tonen", "Too few persons to show anything"),
    # characteristics
    "characteristic": ("Kenmerk", "Characteristic"),
    "persons": ("Personen", "Persons"),
    "age": ("Leeftijd, gemiddelde (SD)", "Age, mean (SD)"),
    "sex": ("Geslacht", "Sex"),
    "F": ("vrouw", "woman"),
    "M": ("man", "man"),
    "n_chronic": ("Chronische aandoeningen, gemiddelde (SD)", "Chronic conditions, mean (SD)"),
    "days_before": ("Dagen waargenomen ervoor, gemiddelde (SD)", "Days observed before, mean (SD)"),
    "days_after": ("Dagen waargenomen erna, gemiddelde (SD)", "Days observed after, mean (SD)"),
}


def term(code: str, lang: Lang, *, otherwise: str | None = None) -> str:
    """Give the words for a code; a code without words (an age band, say) is given as it is, or as ``otherwise``."""
    words = _TERMS.get(code)
    if words is None:
        return code if otherwise is None else otherwise
    return words[0] if lang == "nl" else words[1]
