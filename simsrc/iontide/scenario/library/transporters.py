"""Transporters by name: what one cycle of each carries.

A pathway gives ``transporter = "KCC"`` instead of ``stoichiometry = { K = 1, Cl = 1 }``, together with its rate law.
Cotransporters are written with all their ions outward, exchangers and pumps in the direction in which they usually
run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Transporter:
    """A stoichiometry with a name.

    Attributes
    ----------
    name : str
    description : str
    stoichiometry : mapping of str to int
        Ions carried outward per cycle; negative inward.
    source : str
        Reference for the stoichiometry.
    driven_by : str
        Its energy source (``"ATP"``); empty for a passive one. Its rate law must have the same.
    """

    name: str
    description: str
    stoichiometry: Mapping[str, int]
    source: str
    driven_by: str = ""


_NBCE1 = "Romero & Boron 1999, Annu Rev Physiol 61:699"
_SGLT = "Wright, Loo & Hirayama 2011, Physiol Rev 91:733"

#: Transporters by the name a pathway gives.
TRANSPORTERS: Mapping[str, Transporter] = {
    transporter.name: transporter
    for transporter in (
        Transporter("KCC", "K-Cl cotransport (KCC1 to KCC4)", {"K": 1, "Cl": 1}, "Payne 1997, Am J Physiol 273:C1516"),
        Transporter(
            "NKCC",
            "Na-K-2Cl cotransport (NKCC1, NKCC2)",
            {"Na": 1, "K": 1, "Cl": 2},
            "Geck et al. 1980, Biochim Biophys Acta 600:432",
        ),
        Transporter(
            "NCC", "Na-Cl cotransport", {"Na": 1, "Cl": 1}, "Gamba et al. 1993, Proc Natl Acad Sci USA 90:2749"
        ),
        Transporter(
            "NHE", "Na/H exchange, Na in for H out", {"Na": -1, "H": 1}, "Aronson 1985, Annu Rev Physiol 47:545"
        ),
        Transporter(
            "AE",
            "Cl/HCO3 exchange (band 3 and its relatives), Cl in for HCO3 out",
            {"Cl": -1, "HCO3": 1},
            "Jennings 1989, Annu Rev Biophys Biophys Chem 18:397",
        ),
        Transporter("NBC", "Na-2HCO3 cotransport: NBCe1", {"Na": 1, "HCO3": 2}, _NBCE1),
        Transporter(
            "NBCe1",
            "Na-2HCO3 cotransport, electrogenic (1 to 3 HCO3 in the proximal tubule: write stoichiometry)",
            {"Na": 1, "HCO3": 2},
            _NBCE1,
        ),
        Transporter(
            "NBCn1",
            "Na-HCO3 cotransport, electroneutral",
            {"Na": 1, "HCO3": 1},
            "Choi et al. 2000, Nature 405:571",
        ),
        Transporter(
            "NDCBE",
            "Na-driven Cl/HCO3 exchange, Na and 2 HCO3 in for Cl out",
            {"Na": -1, "HCO3": -2, "Cl": 1},
            "Grichtchenko et al. 2001, J Biol Chem 276:8358",
        ),
        Transporter(
            "NCX",
            "Na/Ca exchange, 3 Na in for Ca out",
            {"Na": -3, "Ca": 1},
            "Reeves & Hale 1984, J Biol Chem 259:7733",
        ),
        Transporter(
            "NCKX",
            "Na/Ca-K exchange, 4 Na in for Ca and K out",
            {"Na": -4, "Ca": 1, "K": 1},
            "Cervetto et al. 1989, Nature 337:740",
        ),
        Transporter("SGLT", "2Na-glucose cotransport: SGLT1", {"Na": 2, "glucose": 1}, _SGLT),
        Transporter("SGLT1", "2Na-glucose cotransport", {"Na": 2, "glucose": 1}, _SGLT),
        Transporter("SGLT2", "Na-glucose cotransport", {"Na": 1, "glucose": 1}, _SGLT),
        Transporter("GLUT", "glucose carrier", {"glucose": 1}, "Carruthers 1990, Physiol Rev 70:1135"),
        Transporter(
            "MCT", "H-lactate cotransport", {"H": 1, "lactate": 1}, "Halestrap & Price 1999, Biochem J 343:281"
        ),
        Transporter(
            "EAAT",
            "glutamate uptake: 3 Na, H and glutamate in for K out",
            {"Na": 3, "H": 1, "glutamate": 1, "K": -1},
            "Zerangue & Kavanaugh 1996, Nature 383:634",
        ),
        Transporter(
            "CLC",
            "Cl/H exchange, 2 Cl out for H in",
            {"Cl": 2, "H": -1},
            "Accardi & Miller 2004, Nature 427:803",
        ),
        Transporter(
            "Na_K_ATPase",
            "Na,K pump, 3 Na out for 2 K in",
            {"Na": 3, "K": -2},
            "Sen & Post 1964, J Biol Chem 239:345",
            "ATP",
        ),
        Transporter(
            "H_ATPase", "H pump of one H an ATP (P-type)", {"H": 1}, "Läuger, Electrogenic Ion Pumps, 1991", "ATP"
        ),
        Transporter(
            "H_K_ATPase",
            "gastric H,K pump at low pH, H out for K in",
            {"H": 1, "K": -1},
            "Läuger, Electrogenic Ion Pumps, 1991",
            "ATP",
        ),
        Transporter(
            "PMCA",
            "Ca pump of the plasma membrane, Ca out for 2 H in",
            {"Ca": 1, "H": -2},
            "Thomas 2009, J Physiol 587:315",
            "ATP",
        ),
        Transporter(
            "SERCA",
            "Ca pump of the reticulum, 2 Ca into it; its lumen is the inside",
            {"Ca": -2},
            "Tran et al. 2009, Biophys J 96:2029, doi:10.1016/j.bpj.2008.11.045",
            "ATP",
        ),
    )
}
