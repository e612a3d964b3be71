"""ONS files of single plants and reservoirs: generation, capacity factor, curtailment, capacity, hydrology."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gridlake_samples import shapes, text
from gridlake_samples.model import SampleFile
from gridlake_samples.ons_system import NAMES
from gridlake_samples.shapes import Times, Values

STATES = {
    "N": ("PA", "Pará"),
    "NE": ("BA", "Bahia"),
    "S": ("RS", "Rio Grande do Sul"),
    "SE": ("MG", "Minas Gerais"),
}
KINDS = ("HIDROELÉTRICA", "TÉRMICA", "EOLIELÉTRICA", "FOTOVOLTAICA")
FUELS = {
    "HIDROELÉTRICA": "Hidráulica",
    "TÉRMICA": "Gás",
    "EOLIELÉTRICA": "Eólica",
    "FOTOVOLTAICA": "Fotovoltaica",
}
GENERATION_HEADER = (
    "din_instante;id_subsistema;nom_subsistema;id_estado;nom_estado;cod_modalidadeoperacao;nom_tipousina;"
    "nom_tipocombustivel;nom_usina;id_ons;ceg;val_geracao"
)

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plant:
    """An invented power plant."""

    number: int
    subsystem: str
    kind: str
    capacity_mw: float

    @property
    def name(self) -> str:
        """Invented name, which says that it is one."""
        return f"USINA SINTÉTICA {self.number:03}"

    @property
    def ons_id(self) -> str:
        """Code of the plant."""
        return f"{STATES[self.subsystem][0]}SIN{self.number:03}"

    @property
    def ceg(self) -> str:
        """Registration of the plant."""
        return f"{self.kind[:3]}.SI.{STATES[self.subsystem][0]}.{self.number:06}-1.01"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that describe it in the generation file, after the time."""
        state, state_name = STATES[self.subsystem]
        place = (self.subsystem, NAMES[self.subsystem], state, state_name.upper())
        return (*place, "TIPO I", self.kind, FUELS[self.kind], self.name, self.ons_id, self.ceg)

    def output(self, times: Times, seed: int) -> Values:
        """Generation in MW, to three decimals."""
        rng = shapes.generator(seed, "plant", self.number)
        if self.kind == "EOLIELÉTRICA":
            shape = shapes.wind(times, rng)
        elif self.kind == "FOTOVOLTAICA":
            shape = shapes.solar(times, rng)
        else:
            shape = np.clip(0.55 * shapes.load(times, rng), 0, 1)
        return np.round(self.capacity_mw * shape, 3)


def plants(count: int, seed: int) -> list[Plant]:
    """Invented plants over all subsystems and kinds."""
    sizes = shapes.generator(seed, "plants").uniform(20, 1200, count)
    codes = list(NAMES)
    return [
        Plant(i + 1, codes[i % 4], KINDS[(i // 4) % 4], round(float(size), 1)) for i, size in enumerate(sizes)
    ]


def demo(out: Path, seed: int, year: int) -> list[SampleFile]:
    """The files of the tour."""
    return [generation(out, seed, year), installed_capacity(out, seed, year), hydrology(out, seed, year)]


def formats(out: Path, seed: int, year: int) -> list[SampleFile]:
    """One clean file of each format."""
    return [
        generation(out, seed, year),
        capacity_factor(out, seed, year),
        constrained_off(out, seed, year, "EOLICA"),
        constrained_off(out, seed, year, "FOTOVOLTAICA"),
        installed_capacity(out, seed, year),
        hydrology(out, seed, year),
    ]


def large(out: Path, seed: int, year: int) -> list[SampleFile]:
    """About a million rows: a month of 1,400 plants."""
    return [generation(out, seed, year, count=1400, name="large")]


def generation(out: Path, seed: int, year: int, *, count: int = 24, name: str = "synthetic") -> SampleFile:
    """GERACAO_USINA-2: hourly generation by plant in January; the code of the subsystem is padded in some rows."""
    times = shapes.local_times(year, 60, days=31)
    fleet = plants(count, seed)
    outputs = [plant.output(times, seed) for plant in fleet]
    columns = [";".join(plant.columns) for plant in fleet]
    columns[0] = " " + columns[0].replace(";", " ;", 1)
    printed = [text.decimals(values) for values in outputs]
    path = out / f"GERACAO_USINA-2_{year}_01__{name}.csv"
    rows = text.write_csv(
        path,
        GENERATION_HEADER,
        (
            (stamp, columns[p], printed[p][i])
            for i, stamp in enumerate(text.stamps(times))
            for p in range(count)
        ),
    )
    return SampleFile(
        path=path,
        dataset="ons_generation_by_plant_hourly",
        rows_in=rows,
        sums={"generation_mw": round(sum(text.rounded_sum(values) for values in outputs), 3)},
        about=f"hourly generation of {count:,} invented plants",
    )


def capacity_factor(out: Path, seed: int, year: int) -> SampleFile:
    """FATOR_CAPACIDADE-2: hourly wind and solar capacity factors in January."""
    times = shapes.local_times(year, 60, days=31)
    fleet = [plant for plant in plants(32, seed) if plant.kind in {"EOLIELÉTRICA", "FOTOVOLTAICA"}]
    kinds = {"EOLIELÉTRICA": "Eólica", "FOTOVOLTAICA": "Solar"}
    columns, total = [], 0.0
    for plant in fleet:
        state, state_name = STATES[plant.subsystem]
        values = plant.output(times, seed)
        total += text.rounded_sum(values)
        left: Row = (plant.subsystem, NAMES[plant.subsystem].capitalize(), state, state_name)
        left += (f"{state}SIN-230-A", "SE SINTETICA 230 kV", "Interior", "-9.5", "-40.5", "-9.4", "-40.4")
        left += ("Conjunto de Usinas", kinds[plant.kind], f"Conj. {plant.name}", plant.ons_id, "-")
        factor = text.decimals(values / plant.capacity_mw, 12)
        columns.append(
            (left, text.decimals(values * 1.02), text.decimals(values), f"{plant.capacity_mw:.3f}", factor)
        )
    path = out / f"FATOR_CAPACIDADE-2_{year}_01__synthetic.csv"
    rows = text.write_csv(
        path,
        "id_subsistema;nom_subsistema;id_estado;nom_estado;cod_pontoconexao;nom_pontoconexao;nom_localizacao;"
        "val_latitudesecoletora;val_longitudesecoletora;val_latitudepontoconexao;val_longitudepontoconexao;"
        "nom_modalidadeoperacao;nom_tipousina;nom_usina_conjunto;id_ons;ceg;din_instante;val_geracaoprogramada;"
        "val_geracaoverificada;val_capacidadeinstalada;val_fatorcapacidade",
        (
            (*left, stamp, planned[i], real[i], capacity, factor[i])
            for i, stamp in enumerate(text.stamps(times))
            for left, planned, real, capacity, factor in columns
        ),
    )
    return SampleFile(
        path=path,
        dataset="ons_capacity_factor_hourly",
        rows_in=rows,
        sums={"generation_mw": round(total, 3)},
        about="wind and solar capacity factors",
    )


def constrained_off(out: Path, seed: int, year: int, kind: str) -> SampleFile:
    """RESTRICAO_COFF: half-hourly curtailment by plant over ten days, 15 columns; most limits are blank."""
    times = shapes.local_times(year, 30, days=10)
    wanted = "EOLIELÉTRICA" if kind == "EOLICA" else "FOTOVOLTAICA"
    fleet = [plant for plant in plants(64, seed) if plant.kind == wanted]
    stamps, rows = text.stamps(times), []
    for plant in fleet:
        state, state_name = STATES[plant.subsystem]
        left: Row = (plant.subsystem, NAMES[plant.subsystem].capitalize(), state, state_name)
        left += (f"Conj. {plant.name}", plant.ons_id, "-")
        possible = plant.output(times, seed)
        limited = (shapes.generator(seed, "limit", plant.number).random(len(times)) < 0.1) & (possible > 1)
        for i, stamp in enumerate(stamps):
            real = possible[i] * (0.6 if limited[i] else 1.0)
            cut = (f"{real:.3f}", "ENE", "SIS") if limited[i] else ("", "", "")
            values = (
                f"{real:.3f}",
                cut[0],
                f"{plant.capacity_mw:.1f}",
                f"{possible[i]:.3f}",
                f"{possible[i]:.3f}",
            )
            rows.append((*left, stamp, *values, cut[1], cut[2]))
    path = out / f"RESTRICAO_COFF_{kind}_{year}_01__synthetic.csv"
    count = text.write_csv(
        path,
        "id_subsistema;nom_subsistema;id_estado;nom_estado;nom_usina;id_ons;ceg;din_instante;val_geracao;"
        "val_geracaolimitada;val_disponibilidade;val_geracaoreferencia;val_geracaoreferenciafinal;"
        "cod_razaorestricao;cod_origemrestricao",
        rows,
    )
    dataset = "ons_wind_constrained_off" if kind == "EOLICA" else "ons_solar_constrained_off"
    return SampleFile(path=path, dataset=dataset, rows_in=count, about="curtailment by plant")


def installed_capacity(out: Path, seed: int, year: int) -> SampleFile:
    """CAPACIDADE_GERACAO: the register of generating units, a table without a time axis."""
    rows, total = [], 0.0
    for plant in plants(60, seed):
        state, state_name = STATES[plant.subsystem]
        subsystem = "PY" if plant.number == 1 else plant.subsystem
        units = 1 + plant.number % 4
        for unit in range(1, units + 1):
            power = round(plant.capacity_mw / units, 1)
            total += power
            start = f"{1990 + plant.number % 30}-{1 + unit:02}-15"
            rows.append((
                subsystem, NAMES.get(subsystem, "PARAGUAI"), state, state_name.upper(), "TIPO I", "AGENTE SINTÉTICO",
                "AGENTE SINTÉTICO", plant.kind, plant.name, plant.ceg, f"UG {unit}", f"{plant.ons_id}-UG{unit}",
                str(unit), FUELS[plant.kind].upper(), start, start, "" if plant.number % 11 else f"{year - 1}-06-30",
                f"{power:.1f}",
            ))  # fmt: skip
    path = out / "CAPACIDADE_GERACAO__synthetic.csv"
    count = text.write_csv(
        path,
        "id_subsistema;nom_subsistema;id_estado;nom_estado;nom_modalidadeoperacao;nom_agenteproprietario;"
        "nom_agenteoperador;nom_tipousina;nom_usina;ceg;nom_unidadegeradora;cod_equipamento;num_unidadegeradora;"
        "nom_combustivel;dat_entradateste;dat_entradaoperacao;dat_desativacao;val_potenciaefetiva",
        rows,
    )
    return SampleFile(
        path=path,
        dataset="ons_installed_capacity",
        rows_in=count,
        sums={"installed_capacity_mw": round(total, 1)},
        about="register of generating units (reference table)",
    )


HYDROLOGY_HEADER = (
    "id_subsistema;nom_subsistema;tip_reservatorio;nom_bacia;nom_ree;nom_reservatorio;cod_usina;din_instante;"
    "val_nivelmontante;val_niveljusante;val_volumeutilcon;val_vazaoafluente;val_vazaoturbinada;val_vazaovertida;"
    "val_vazaodefluente;val_vazaonatural;val_vazaoincremental;val_vazaoevaporacaoliquida;val_vazaousoconsuntivo"
)
HYDROLOGY_TIME = 7
"""Position of the stamp."""


def hydrology_rows(
    seed: int, year: int, *, reservoirs: int = 6, days: int | None = None
) -> list[tuple[str, ...]]:
    """Daily levels, useful volume and flows of invented reservoirs."""
    times = shapes.local_times(year, 1440, days=days)
    dates = text.stamps(times)
    rows: list[Row] = []
    for number in range(1, reservoirs + 1):
        code = list(NAMES)[number % 4]
        noise = shapes.slow_noise(len(times), shapes.generator(seed, "reservoir", number))
        volume = np.clip(58 + 25 * shapes.season(times, 120) + 2 * noise, 0, 100)
        inflow = 900 * (1 + 0.6 * shapes.season(times, 50)) * np.clip(1 + 0.15 * noise, 0.3, None)
        left: Row = (code, NAMES[code].capitalize(), "RCU", "BACIA SINTÉTICA", "REE SINTÉTICO")
        left += (f"RESERVATÓRIO SINTÉTICO {number}", str(900 + number))
        for i, day in enumerate(dates):
            turbined, spilled = inflow[i] * 0.95, inflow[i] * 0.02
            levels = (f"{300 + number + volume[i] / 10:.2f}", f"{250 + number:.2f}", f"{volume[i]:.2f}")
            flows = (inflow[i], turbined, spilled, turbined + spilled, inflow[i] * 1.01, inflow[i] * 0.4)
            rows.append((*left, day, *levels, *(f"{flow:.1f}" for flow in flows), "7", "26"))
    return rows


def hydrology(out: Path, seed: int, year: int) -> SampleFile:
    """DADOS_HIDROLOGICOS_RES: daily state of invented reservoirs."""
    path = out / f"DADOS_HIDROLOGICOS_RES_{year}__synthetic.csv"
    count = text.write_csv(path, HYDROLOGY_HEADER, hydrology_rows(seed, year))
    return SampleFile(
        path=path,
        dataset="ons_reservoir_hydrology_daily",
        rows_in=count,
        about="levels and flows of reservoirs",
    )
