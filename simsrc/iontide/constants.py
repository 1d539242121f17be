"""Physical constants, exact since the SI of 2019 (CODATA 2018; a test holds them against scipy.constants)."""

#: Molar gas constant, J mol⁻¹ K⁻¹ (Boltzmann constant times Avogadro constant, both exact).
GAS_CONSTANT = 1.380649e-23 * 6.02214076e23

#: Faraday constant, C mol⁻¹ (elementary charge times Avogadro constant, both exact).
FARADAY = 1.602176634e-19 * 6.02214076e23

#: Boltzmann constant, J K⁻¹.
BOLTZMANN = 1.380649e-23

#: 0 °C in K.
ZERO_CELSIUS = 273.15
