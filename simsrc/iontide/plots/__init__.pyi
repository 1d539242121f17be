from .analysis.branch import branch_figure as branch_figure
from .analysis.ranking import sensitivity_figure as sensitivity_figure
from .energy.budget import budget_figure as budget_figure
from .energy.power import power_figure as power_figure
from .files import plot as plot
from .files import write_figure as write_figure
from .files import write_pair as write_pair
from .junctions.profiles import junction_figure as junction_figure
from .junctions.profiles import junction_table_figure as junction_table_figure
from .junctions.transient import forming_figure as forming_figure
from .runs.electrodes import electrode_figure as electrode_figure
from .runs.figures import (
    concentration_figure as concentration_figure,
)
from .runs.figures import (
    current_figure as current_figure,
)
from .runs.figures import (
    gate_figure as gate_figure,
)
from .runs.figures import (
    overview_figure as overview_figure,
)
from .runs.figures import (
    potential_figure as potential_figure,
)
from .runs.figures import (
    volume_figure as volume_figure,
)
