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
    "gee_poisson": ("Poisson, robuust per persoon (GEE)", "Poisson, robust by person (GEE)"),
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
    "robust": ("Verschil van frequenties, robuust per persoon", "Difference of rates, robust by person"),
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
    # directions and composition
    "fell": ("Gedaald", "Fell"),
    "stayed": ("Gelijk gebleven", "Stayed the same"),
    "rose": ("Gestegen", "Rose"),
    "all_rows": ("Iedereen die in een van beide is waargenomen", "Everybody observed in either window"),
    "both_windows": ("In beide vensters volledig waargenomen", "Fully observed in both windows"),
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


def term(code: str, lang: Lang) -> str:
    """Give the words for a code; a code without words (an age band, say) is given as it is."""
    words = _TERMS.get(code)
    if words is None:
        return code
    return words[0] if lang == "nl" else words[1]
