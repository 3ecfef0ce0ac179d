"""The methods section of a paper on a study."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jinja2
import pandas as pd

from mndmri.provenance import OF_IMAGES
from mndmri.tables.covariates import covariates_of, place_of
from mndmri.tables.decisions import EVERYTHING
from mndmri.tables.given import BROUGHT
from mndmri.tables.maps import BUILTIN
from mndmri.tables.neuron import LEVELS
from mndmri.tables.participants import PROGRESSION_RATE
from mndmri.tables.words import readable

_TEMPLATE = Path(__file__).parent / "templates" / "methods.md.j2"
_CITATION = re.compile(r"(?<!\\)\[(@\w+(?:;\s+@\w+)*)\]")
# What Markdown, or Pandoc's, would read as markup in the middle of a line
_MARKUP = re.compile(r"([\\`*_\[\]<>~^$|&@])")
_SIDES = {
    "L": "left",
    "R": "right",
    "contra": "contralateral to the side of onset",
    "ipsi": "ipsilateral to it",
    "mean": "mean of both sides",
}

# Beginning of a variant's name in sensitivity.tsv, to what was done
_CORD = {*LEVELS["Medulla"], *LEVELS["Cord"]}  # regions
_VARIANTS = {
    "without_covariates": "without covariates",
    "age_matched": "with groups matched for age and sex",
    "without_flagged": "without scans flagged by quality control",
    "motion_covariate": "with head motion as covariate",
    "without_site": "without each site in turn",
}

REFERENCES = {
    "abdulrahman2005": "Abdul-Rahman H, Gdeisat M, Burton D, Lalor M. Fast three-dimensional phase-unwrapping "
    "algorithm based on sorting by reliability following a non-continuous path. Proc SPIE 2005;5856:32-40.",
    "avants2008": "Avants BB, Epstein CL, Grossman M, Gee JC. Symmetric diffeomorphic image registration with "
    "cross-correlation: evaluating automated labeling of elderly and neurodegenerative brain. Med Image Anal "
    "2008;12:26-41.",
    "avants2010": "Avants BB, Yushkevich P, Pluta J, et al. The optimal template effect in hippocampus studies of "
    "diseased populations. NeuroImage 2010;49:2457-2466.",
    "fabes2017": "Fabes J, Matthews L, Filippini N, Talbot K, Jenkinson M, Turner MR. Quantitative FLAIR MRI in "
    "amyotrophic lateral sclerosis. Acad Radiol 2017;24:1187-1194.",
    "hoy2014": "Hoy AR, Koay CG, Kecskemeti SR, Alexander AL. Optimization of a free water elimination two-compartment "
    "model for diffusion tensor imaging. NeuroImage 2014;103:323-333.",
    "jensen2010": "Jensen JH, Helpern JA. MRI quantification of non-Gaussian water diffusion by kurtosis analysis. "
    "NMR Biomed 2010;23:698-710.",
    "pasternak2009": "Pasternak O, Sochen N, Gur Y, Intrator N, Assaf Y. Free water elimination and mapping from "
    "diffusion MRI. Magn Reson Med 2009;62:717-730.",
    "tabesh2011": "Tabesh A, Jensen JH, Ardekani BA, Helpern JA. Estimation of tensors and tensor-derived measures in "
    "diffusional kurtosis imaging. Magn Reson Med 2011;65:823-836.",
    "hutton2008": "Hutton C, De Vita E, Ashburner J, Deichmann R, Turner R. Voxel-based cortical thickness "
    "measurements in MRI. NeuroImage 2008;40:1701-1710.",
    "lee2009": "Lee JE, Chung MK, Lazar M, et al. A study of diffusion tensor imaging by tissue-specific, "
    "smoothing-compensated voxel-based analysis. NeuroImage 2009;44:870-883.",
    "lerch2005": "Lerch JP, Evans AC. Cortical thickness analysis examined through power analysis and a population "
    "simulation. NeuroImage 2005;24:163-173.",
    "shin2021": "Shin H-G, Lee J, Yun YH, et al. χ-separation: magnetic susceptibility source separation toward iron "
    "and myelin mapping in the brain. NeuroImage 2021;240:118371.",
    "smith2006": "Smith SM, Jenkinson M, Johansen-Berg H, et al. Tract-based spatial statistics: voxelwise analysis of "
    "multi-subject diffusion data. NeuroImage 2006;31:1487-1505.",
    "smith2009": "Smith SM, Nichols TE. Threshold-free cluster enhancement: addressing problems of smoothing, "
    "threshold dependence and localisation in cluster inference. NeuroImage 2009;44:83-98.",
    "tohka2004": "Tohka J, Zijdenbos A, Evans A. Fast and robust parameter estimation for statistical partial volume "
    "models in brain MRI. NeuroImage 2004;23:84-97.",
    "yushkevich2016": "Yushkevich PA, Pluta J, Wang H, Wisse LEM, Das S, Wolk D. Fast automatic segmentation of "
    "hippocampal subfields and medial temporal lobe subregions in 3 Tesla and 7 Tesla T2-weighted MRI. Alzheimers "
    "Dement 2016;12:P126-P127.",
    "basser1996": "Basser PJ, Pierpaoli C. Microstructural and physiological features of tissues elucidated by "
    "quantitative-diffusion-tensor MRI. J Magn Reson B 1996;111:209-219.",
    "benjamini1995": "Benjamini Y, Hochberg Y. Controlling the false discovery rate: a practical and powerful approach "
    "to multiple testing. J R Stat Soc B 1995;57:289-300.",
    "bilgic2014a": "Bilgic B, Chatnuntawech I, Fan AP, et al. Fast image reconstruction with L2-regularization. J Magn "
    "Reson Imaging 2014;40:181-191.",
    "bilgic2014b": "Bilgic B, Fan AP, Polimeni JR, et al. Fast quantitative susceptibility mapping with "
    "L1-regularization and automatic parameter selection. Magn Reson Med 2014;72:1444-1459.",
    "bland1999": "Bland JM, Altman DG. Measuring agreement in method comparison studies. Stat Methods Med Res "
    "1999;8:135-160.",
    "burgel2006": "Bürgel U, Amunts K, Hoemke L, et al. White matter fiber tracts of the human brain: "
    "three-dimensional mapping at microscopic resolution, topography and intersubject variability. NeuroImage "
    "2006;29:1092-1105.",
    "chakraborty2015": "Chakraborty S, Gupta A, Nguyen T, Bourque P. The “motor band sign”: susceptibility-weighted "
    "imaging in amyotrophic lateral sclerosis. Can J Neurol Sci 2015;42:260-263.",
    "andersson2003": "Andersson JLR, Skare S, Ashburner J. How to correct susceptibility distortions in spin-echo "
    "echo-planar images: application to diffusion tensor imaging. NeuroImage 2003;20:870-888.",
    "andersson2016eddy": "Andersson JLR, Sotiropoulos SN. An integrated approach to correction for off-resonance "
    "effects and subject movement in diffusion MR imaging. NeuroImage 2016;125:1063-1078.",
    "andersson2016outliers": "Andersson JLR, Graham MS, Zsoldos E, Sotiropoulos SN. Incorporating outlier detection "
    "and replacement into a non-parametric framework for movement and distortion correction of diffusion MR images. "
    "NeuroImage 2016;141:556-572.",
    "collier2015": "Collier Q, Veraart J, Jeurissen B, den Dekker AJ, Sijbers J. Iterative reweighted linear least "
    "squares for accurate, fast, and robust estimation of diffusion magnetic resonance parameters. Magn Reson Med "
    "2015;73:2174-2184.",
    "cordero2019": "Cordero-Grande L, Christiaens D, Hutter J, Price AN, Hajnal JV. Complex diffusion-weighted image "
    "estimation via matrix recovery under general noise models. NeuroImage 2019;200:391-404.",
    "jezzard1995": "Jezzard P, Balaban RS. Correction for geometric distortion in echo planar images from B0 field "
    "variations. Magn Reson Med 1995;34:65-73.",
    "schilling2019": "Schilling KG, Yeh FC, Nath V, et al. A fiber coherence index for quality control of B-table "
    "orientation in diffusion MRI scans. Magn Reson Imaging 2019;58:82-89.",
    "tournier2007": "Tournier JD, Calamante F, Connelly A. Robust determination of the fibre orientation distribution "
    "in diffusion MRI: non-negativity constrained super-resolved spherical deconvolution. NeuroImage "
    "2007;35:1459-1472.",
    "tournier2019": "Tournier JD, Smith R, Raffelt D, et al. MRtrix3: a fast, flexible and open software framework "
    "for medical image processing and visualisation. NeuroImage 2019;202:116137.",
    "veraart2013": "Veraart J, Sijbers J, Sunaert S, Leemans A, Jeurissen B. Weighted linear least squares estimation "
    "of diffusion MRI parameters: strengths, limitations, and pitfalls. NeuroImage 2013;81:335-346.",
    "cieslak2021": "Cieslak M, Cook PA, He X, et al. QSIPrep: an integrative platform for preprocessing and "
    "reconstructing diffusion MRI data. Nat Methods 2021;18:775-778.",
    "cohen1960": "Cohen J. A coefficient of agreement for nominal scales. Educ Psychol Meas 1960;20:37-46.",
    "cohen1968": "Cohen J. Weighted kappa: nominal scale agreement with provision for scaled disagreement or partial "
    "credit. Psychol Bull 1968;70:213-220.",
    "diggle2002": "Diggle PJ, Heagerty P, Liang K-Y, Zeger SL. Analysis of longitudinal data. 2nd ed. Oxford "
    "University Press, 2002.",
    "cox1972": "Cox DR. Regression models and life-tables. J R Stat Soc B 1972;34:187-220.",
    "schuirmann1987": "Schuirmann DJ. A comparison of the two one-sided tests procedure and the power approach for "
    "assessing the equivalence of average bioavailability. J Pharmacokinet Biopharm 1987;15:657-680.",
    "crawford1998": "Crawford JR, Howell DC. Comparing an individual's test score against norms derived from small "
    "samples. Clin Neuropsychol 1998;12:482-486.",
    "crawford2002": "Crawford JR, Garthwaite PH. Investigation of the single case in neuropsychology: confidence "
    "limits on the abnormality of test scores and test score differences. Neuropsychologia 2002;40:1196-1208.",
    "delong1988": "DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more correlated receiver "
    "operating characteristic curves: a nonparametric approach. Biometrics 1988;44:837-845.",
    "desikan2006": "Desikan RS, Ségonne F, Fischl B, et al. An automated labeling system for subdividing the human "
    "cerebral cortex on MRI scans into gyral based regions of interest. NeuroImage 2006;31:968-980.",
    "donatelli2018": "Donatelli G, Retico A, Caldarazzo Ienco E, et al. Semiautomated evaluation of the primary motor "
    "cortex in patients with amyotrophic lateral sclerosis at 3T. AJNR Am J Neuroradiol 2018;39:63-69.",
    "dunn1964": "Dunn OJ. Multiple comparisons using rank sums. Technometrics 1964;6:241-252.",
    "dymerska2021": "Dymerska B, Eckstein K, Bachrata B, et al. Phase unwrapping with a rapid opensource minimum "
    "spanning tree algorithm (ROMEO). Magn Reson Med 2021;85:2294-2308.",
    "eckstein2018": "Eckstein K, Dymerska B, Bachrata B, et al. Computationally efficient combination of multi-channel "
    "phase data from multi-echo acquisitions (ASPIRE). Magn Reson Med 2018;79:2996-3006.",
    "eickhoff2005": "Eickhoff SB, Stephan KE, Mohlberg H, et al. A new SPM toolbox for combining probabilistic "
    "cytoarchitectonic maps and functional imaging data. NeuroImage 2005;25:1325-1335.",
    "fisch2024": "Fisch L, Zumdick S, Barkhau C, et al. deepbet: fast brain extraction of T1-weighted MRI using "
    "convolutional neural networks. Comput Biol Med 2024;179:108845.",
    "fleiss1969": "Fleiss JL, Cohen J, Everitt BS. Large sample standard errors of kappa and weighted kappa. Psychol "
    "Bull 1969;72:323-327.",
    "fortin2018": "Fortin J-P, Cullen N, Sheline YI, et al. Harmonization of cortical thickness measurements across "
    "scanners and sites. NeuroImage 2018;167:104-120.",
    "frangi1998": "Frangi AF, Niessen WJ, Vincken KL, Viergever MA. Multiscale vessel enhancement filtering. MICCAI "
    "1998, Lect Notes Comput Sci 1496:130-137.",
    "bell2002": "Bell RM, McCaffrey DF. Bias reduction in standard errors for linear regression with multi-stage "
    "samples. Surv Methodol 2002;28:169-181.",
    "davidson2008": "Davidson R, Flachaire E. The wild bootstrap, tamed at last. J Econom 2008;146:162-169.",
    "rao1970": "Rao CR. Estimation of heteroscedastic variances in linear models. J Am Stat Assoc 1970;65:161-172.",
    "satterthwaite1946": "Satterthwaite FE. An approximate distribution of estimates of variance components. "
    "Biometrics Bull 1946;2:110-114.",
    "zhang2012": "Zhang J-T. An approximate Hotelling T2-test for heteroscedastic one-way MANOVA. Open J Stat "
    "2012;2:1-11.",
    "freeman1951": "Freeman GH, Halton JH. Note on an exact treatment of contingency, goodness of fit and other "
    "problems of significance. Biometrika 1951;38:141-149.",
    "garyfallidis2014": "Garyfallidis E, Brett M, Amirbekian B, et al. Dipy, a library for the analysis of diffusion "
    "MRI data. Front Neuroinform 2014;8:8.",
    "grady2005": "Grady L. Multilabel random walker image segmentation using prior models. Proc IEEE Conf Comput Vis "
    "Pattern Recognit 2005;1:763-770.",
    "haacke2004": "Haacke EM, Xu Y, Cheng Y-CN, Reichenbach JR. Susceptibility weighted imaging (SWI). Magn Reson Med "
    "2004;52:612-618.",
    "hahn1970": "Hahn GJ. Additional factors for calculating prediction intervals for samples from a normal "
    "distribution. J Am Stat Assoc 1970;65:1668-1676.",
    "hedges1981": "Hedges LV. Distribution theory for Glass's estimator of effect size and related estimators. J Educ "
    "Stat 1981;6:107-128.",
    "hodges1963": "Hodges JL, Lehmann EL. Estimates of location based on rank tests. Ann Math Stat 1963;34:598-611.",
    "hofer2006": "Hofer S, Frahm J. Topography of the human corpus callosum revisited: comprehensive fiber "
    "tractography using diffusion tensor magnetic resonance imaging. NeuroImage 2006;32:989-994.",
    "holm1979": "Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65-70.",
    "iglewicz1993": "Iglewicz B, Hoaglin DC. How to Detect and Handle Outliers. Milwaukee: ASQC Quality Press; 1993.",
    "yeatman2012": "Yeatman JD, Dougherty RF, Myall NJ, Wandell BA, Feldman HM. Tract profiles of white matter "
    "properties: automating fiber-tract quantification. PLoS One 2012;7:e49790.",
    "westfall1993": "Westfall PH, Young SS. Resampling-based multiple testing: examples and methods for p-value "
    "adjustment. New York: Wiley; 1993.",
    "laird1982": "Laird NM, Ware JH. Random-effects models for longitudinal data. Biometrics 1982;38:963-974.",
    "pustejovsky2018": "Pustejovsky JE, Tipton E. Small-sample methods for cluster-robust variance estimation and "
    "hypothesis testing in fixed effects models. J Bus Econ Stat 2018;36:672-683.",
    "welch1947": "Welch BL. The generalization of 'Student's' problem when several different population variances are "
    "involved. Biometrika 1947;34:28-35.",
    "rover2015": "Röver C, Knapp G, Friede T. Hartung-Knapp-Sidik-Jonkman approach and its modification for "
    "random-effects meta-analysis with few studies. BMC Med Res Methodol. 2015;15:99.",
    "inthout2014": "IntHout J, Ioannidis JPA, Borm GF. The Hartung-Knapp-Sidik-Jonkman method for random effects "
    "meta-analysis is straightforward and considerably outperforms the standard DerSimonian-Laird method. BMC Med Res "
    "Methodol 2014;14:25.",
    "johnson2007": "Johnson WE, Li C, Rabinovic A. Adjusting batch effects in microarray expression data using "
    "empirical Bayes methods. Biostatistics 2007;8:118-127.",
    "kellner2016": "Kellner E, Dhital B, Kiselev VG, Reisert M. Gibbs-ringing artifact removal based on local "
    "subvoxel-shifts. Magn Reson Med 2016;76:1574-1581.",
    "stanisz2005": "Stanisz GJ, Odrobina EE, Pun J, et al. T1, T2 relaxation and magnetization transfer in tissue at "
    "3T. Magn Reson Med 2005;54:507-512.",
    "streitberg1986": "Streitberg B, Röhmel J. Exact distributions for permutation and rank tests: an introduction to "
    "some recently published algorithms. Stat Softw Newsl 1986;12:10-17.",
    "kruskal1952": "Kruskal WH, Wallis WA. Use of ranks in one-criterion variance analysis. J Am Stat Assoc "
    "1952;47:583-621.",
    "leemans2009": "Leemans A, Jones DK. The B-matrix must be rotated when correcting for subject motion in DTI data. "
    "Magn Reson Med 2009;61:1336-1349.",
    "mcgraw1996": "McGraw KO, Wong SP. Forming inferences about some intraclass correlation coefficients. Psychol "
    "Methods 1996;1:30-46.",
    "shrout1979": "Shrout PE, Fleiss JL. Intraclass correlations: uses in assessing rater reliability. Psychol Bull "
    "1979;86:420-428.",
    "mackinnon1985": "MacKinnon JG, White H. Some heteroskedasticity-consistent covariance matrix estimators with "
    "improved finite sample properties. J Econom 1985;29:305-325.",
    "milovic2018": "Milovic C, Bilgic B, Zhao B, Acosta-Cabronero J, Tejos C. Fast nonlinear susceptibility inversion "
    "with variational regularization. Magn Reson Med 2018;80:814-821.",
    "molder2021": "Mölder F, Jablonski KP, Letcher B, et al. Sustainable data analysis with Snakemake. F1000Research "
    "2021;10:33.",
    "mori2008": "Mori S, Oishi K, Jiang H, et al. Stereotaxic white matter atlas based on diffusion tensor imaging in "
    "an ICBM template. NeuroImage 2008;40:570-582.",
    "newcombe1998a": "Newcombe RG. Two-sided confidence intervals for the single proportion: comparison of seven "
    "methods. Stat Med 1998;17:857-872.",
    "newcombe1998b": "Newcombe RG. Interval estimation for the difference between independent proportions: comparison "
    "of eleven methods. Stat Med 1998;17:873-890.",
    "noll1991": "Noll DC, Nishimura DG, Macovski A. Homodyne detection in magnetic resonance imaging. IEEE Trans Med "
    "Imaging 1991;10:154-163.",
    "power2012": "Power JD, Barnes KA, Snyder AZ, Schlaggar BL, Petersen SE. Spurious but systematic correlations in "
    "functional connectivity MRI networks arise from subject motion. NeuroImage 2012;59:2142-2154.",
    "salvador2005": "Salvador R, Peña A, Menon DK, Carpenter TA, Pickard JD, Bullmore ET. Formal characterization and "
    "extension of the linearized diffusion tensor model. Hum Brain Mapp 2005;24:144-155.",
    "sato1998": "Sato Y, Nakajima S, Shiraga N, et al. Three-dimensional multi-scale line filter for segmentation and "
    "visualization of curvilinear structures in medical images. Med Image Anal 1998;2:143-168.",
    "sato2000": "Sato Y, Westin C-F, Bhalerao A, et al. Tissue classification based on 3D local intensity structures "
    "for volume rendering. IEEE Trans Vis Comput Graph 2000;6:160-180.",
    "tustison2010": "Tustison NJ, Avants BB, Cook PA, et al. N4ITK: improved N3 bias correction. IEEE Trans Med "
    "Imaging 2010;29:1310-1320.",
    "tustison2021": "Tustison NJ, Cook PA, Holbrook AJ, et al. The ANTsX ecosystem for quantitative biological and "
    "medical imaging. Sci Rep 2021;11:9068.",
    "veraart2016": "Veraart J, Novikov DS, Christiaens D, et al. Denoising of diffusion MRI using random matrix "
    "theory. NeuroImage 2016;142:394-406.",
    "virtanen2020": "Virtanen P, Gommers R, Oliphant TE, et al. SciPy 1.0: fundamental algorithms for scientific "
    "computing in Python. Nat Methods 2020;17:261-272.",
    "oba2005": "Oba H, Yagishita A, Terada H, et al. New and reliable MRI diagnosis for progressive supranuclear "
    "palsy. Neurology 2005;64:2050-2055.",
    "wimmer2020": "Wimmer T, Schreiber F, Hensiek N, et al. The upper cervical spinal cord in ALS assessed by "
    "cross-sectional and longitudinal 3T MRI. Sci Rep 2020;10:1783.",
    "winkler2014": "Winkler AM, Ridgway GR, Webster MA, Smith SM, Nichols TE. Permutation inference for the general "
    "linear model. NeuroImage 2014;92:381-397.",
    "yousry1997": "Yousry TA, Schmid UD, Alkadhi H, et al. Localization of the motor hand area to a knob on the "
    "precentral gyrus. A new landmark. Brain 1997;120:141-157.",
    "zhou2014": "Zhou D, Liu T, Spincemaille P, Wang Y. Background field removal by solving the Laplacian boundary "
    "value problem. NMR Biomed 2014;27:312-319.",
}

# Measures of the diffusion series that only some shells allow.
_BY_SHELLS = ("free_water", "mk", "signal_ratio")
_NOBODY: Mapping[str, int] = MappingProxyType(dict.fromkeys(_BY_SHELLS, 0))


def study_facts(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Iterable[str],
    score: Mapping[str, str],
    measure_covariates: Mapping[str, Sequence[str]] | None = None,
    described: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Any]:
    """What `methods_paragraph` has to know of a study besides its config.

    Parameters
    ----------
    measures, participants : DataFrame
        As in `mndmri.report.pages.group_page`.
    groups : iterable of str
        Also those that nobody is in.
    score : mapping
        Modality, measure, region and hemi of the motor band score.
    measure_covariates : mapping, optional
        As in `mndmri.tables.covariates.covariates_of`.
    described : mapping, optional
        Definitions of the measures by ``modality measure``, from measures.json: those that were brought say from where.
    """
    sizes = participants["group"].value_counts()
    known = measures[measures["value"].notna()]
    kinds = known[["modality", "measure", "region"]].drop_duplicates().to_dict("records")
    places = {tuple(kind.values()) for kind in kinds}
    pairs = known[["modality", "measure"]].drop_duplicates().itertuples(index=False, name=None)
    brought: dict[str, list[str]] = {}
    imaged = set()
    for modality, measure in pairs:
        if BROUGHT in (described or {}).get(f"{modality} {measure}", {}):
            brought.setdefault(modality, []).append(readable(measure))
        else:
            imaged.add(modality)
    own, who = {}, "participant_id"
    for place, names in (measure_covariates or {}).items():
        had = [name for name in names if name in participants or not (of := place_of(name)) or of[:3] in places]
        if had and any(covariates_of(kind, {place: had}) for kind in kinds):
            own[place] = had
    return {
        "n_by_group": {name: int(sizes.get(name, 0)) for name in groups},
        "measured": set(known["modality"]),
        "imaged": imaged,
        "brought": [f"{_listed(names)} of {readable(modality)}" for modality, names in brought.items()],
        "scored": bool((known[list(score)] == pd.Series(score)).all(axis=1).any()),
        "cord": any(kind["region"] in _CORD for kind in kinds),
        "midsagittal": any((kind["modality"], kind["measure"]) == ("t1w", "area") for kind in kinds),
        "by_shells": {
            measure: int(known.loc[(known["modality"] == "dwi") & (known["measure"] == measure), who].nunique())
            for measure in _BY_SHELLS
        },
        "own_covariates": own,
    }


def methods_paragraph(
    config: Mapping[str, Any],
    versions: Mapping[str, str],
    *,
    n_by_group: Mapping[str, int],
    space: str,
    scored: bool = False,
    cord: bool = True,
    midsagittal: bool = True,
    by_shells: Mapping[str, int] = _NOBODY,
    measured: Collection[str] = (),
    own_covariates: Mapping[str, Sequence[str]] | None = None,
    imaged: Collection[str] | None = None,
    brought: Sequence[str] = (),
    done: Collection[str] | None = None,
    excluded: Mapping[str, int] | None = None,
    without_t1w: Mapping[str, int] | None = None,
    visits_left: Sequence[str] = (),
) -> str:
    """Methods of a study as Markdown: the steps that its config selects and that were done, then the references.

    Parameters
    ----------
    config : mapping
        Resolved config (`mndmri.cohort.config.resolve_config`).
    versions : mapping
        Name of a program to its version, as from `mndmri.provenance.versions`; ``mndmri`` is there.
    n_by_group : mapping
        Group to the number of its participants.
    space : str
        Name of the template's space.
    scored : bool
        Whether any participant has a motor band score.
    cord : bool
        Whether any participant has a measure of the medulla or the cord: neither a part of the study nor one whose
        images end above the neck has.
    midsagittal : bool
        Whether any participant has areas of the midbrain and the pons.
    by_shells : mapping
        ``free_water``, ``mk`` and ``signal_ratio`` of the diffusion series to the number of participants who have a
        value: their series had the shells.
    measured : collection of str
        Modalities with a measure in any participant; ``qsm`` and ``r2star`` have no config key of their own.
    own_covariates : mapping, optional
        Measures, as ``t1w volume``, to the covariates that they alone had.
    imaged : collection of str, optional
        Modalities of which the scans gave a measure; by default those of the config.
    brought : sequence of str
        Measures that were brought, in words.
    done : collection of str, optional
        Analyses that gave a number (`mndmri.report.done.analyses_done`); by default all.
    excluded : mapping, optional
        Modality, or ``all``, to the number of participants whose scans readers have excluded.
    without_t1w : mapping, optional
        Modality to the number of participants whose scan of it took the place of a T1w image.
    visits_left : sequence of str
        How many of each group lack the study's last visit (`mndmri.statistics.dropout.left_by_group`).

    Returns
    -------
    str
        Paragraphs, each a line that begins with its heading in bold, and a list of references.
        Names from the config are escaped.
    """

    def did(name: str) -> bool:
        return done is None or name in done

    images = [] if config["measures"] else [m for m in config["modalities"] if imaged is None or _seen(m, imaged)]
    scores = [*config["clinical_scores"], *(["the rate of progression"] if config["progression"] else [])]
    if config["progression"] and not did(f"correlations {PROGRESSION_RATE}"):
        scores.pop()
    statistics, has_controls = config["statistics"], config["groups"]["reference"] is not None
    template = _environment().from_string(_TEMPLATE.read_text(encoding="utf-8"))
    written = template.render(
        config=config,
        space=space,
        statistics=statistics,
        versions=versions,
        n_by_group=n_by_group,
        scored=scored,
        cord=cord,
        midsagittal=midsagittal,
        by_shells=by_shells,
        measured=measured,
        own_covariates=[
            f"{_listed(map(readable, names))} for {' '.join(map(readable, place.split()))}"
            for place, names in (own_covariates or {}).items()
        ],
        images=images,
        brought=brought,
        did=did,
        variants=_variants(config, images, done),
        excluded=[_excluded(modality, n) for modality, n in (excluded or {}).items()],
        without_t1w=without_t1w or {},
        visits_left=visits_left,
        maps=[
            _map_in_words(name, own) for name, own in config["maps"].items() if name in images and name not in BUILTIN
        ],
        contrasts=_contrasts(config),
        pooled=statistics["pooled_patients"] and has_controls and len(config["groups"]["levels"]) > 2,
        primary=_primary(statistics["primary"]),
        scores=[name for name in scores if name not in config["clinical_scores"] or did(f"correlations {name}")],
        software=[f"{name} {version}" for name, version in versions.items() if images or name not in OF_IMAGES],
    )
    paragraphs = (" ".join(part.split()) for part in written.split("***"))
    return _numbered("\n\n".join(part for part in paragraphs if part))


def _map_in_words(name: str, declared: Mapping[str, Any]) -> dict[str, Any]:
    """A declared map, with words for where it was measured."""
    words = {
        "cst": "the levels and 100 nodes of the corticospinal tract",
        "callosum": "the mid-body and splenium of the callosum",
        "gyri": "the grey matter of gyri",
        "precentral": "the banks of the precentral gyrus",
    }
    tissue = {"gm": "grey matter", "wm": "white matter"}.get((declared["voxelwise"] or {}).get("tissue", ""))
    return {**declared, "name": name, "where": [words[place] for place in declared["where"]], "tissue": tissue}


def _seen(modality: str, imaged: Collection[str]) -> bool:
    """Whether scans of a modality gave a measure; those of susceptibility have three names."""
    return bool({modality, *(("qsm", "r2star") if modality == "swi" else ())} & set(imaged))


def _variants(config: Mapping[str, Any], images: Sequence[str], done: Collection[str] | None) -> list[str]:
    """Sensitivity analyses in words."""
    if done is None:
        checked = bool(images or config["quality"])
        selected = {"without_covariates": True, "age_matched": True, "without_flagged": checked}
        selected |= {"motion_covariate": checked, "without_site": bool(config["site"])}
    else:
        variants = [name.removeprefix("sensitivity ") for name in done if name.startswith("sensitivity ")]
        selected = {word: any(name.startswith(word) for name in variants) for word in _VARIANTS}
    return [text for word, text in _VARIANTS.items() if selected[word]]


def _excluded(modality: str, n: int) -> str:
    """What readers have excluded in how many: ``the SWI of 2 participants``."""
    kind = "map" if modality == "qsm" else "scan"
    what = "all scans" if modality == EVERYTHING else f"the {readable(modality)} {kind}"
    return f"{what} of {n} participant{'s' * (n > 1)}"


def _environment() -> jinja2.Environment:
    """Templates in which all that is inserted is text, never markup."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, finalize=_plain)
    environment.filters |= {"listed": _listed, "readable": readable}
    return environment


def _plain(value: Any) -> str:
    """Value as Markdown that reads as the value."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return _MARKUP.sub(r"\\\1", re.sub(r"\s+", " ", text))


def _listed(items: Iterable[Any]) -> str:
    """Items in a sentence: ``a, b and c``."""
    *first, last = map(str, items)
    return f"{', '.join(first)} and {last}" if first else last


def _contrasts(config: Mapping[str, Any]) -> list[str]:
    """Pairs of groups as they are compared, the reference second."""
    levels, reference = config["groups"]["levels"], config["groups"]["reference"]
    ordered = [*(name for name in levels if name != reference), *([] if reference is None else [reference])]
    pairs = config["statistics"]["contrasts"] or combinations(ordered, 2)
    return [f"{first} minus {second}" for first, second in pairs]


def _primary(primary: Iterable[Mapping[str, str]]) -> list[str]:
    """Primary measures, the sides of each together: ``FA of CST (DWI; left and right)``."""
    places: dict[tuple[str, str], list[str]] = {}
    for entry in primary:
        sides = places.setdefault(
            (f"{readable(entry['measure'])} of {readable(entry['region'])}", entry["modality"]), []
        )
        sides += [_SIDES[entry["hemi"]]] if entry["hemi"] in _SIDES else []
    return [
        f"{name} ({'; '.join([readable(modality), *([_listed(sides)] if sides else [])])})"
        for (name, modality), sides in places.items()
    ]


def _numbered(text: str) -> str:
    """Text with its citations as numbers, in order of their first appearance, and the list of them."""
    numbers: dict[str, int] = {}

    def cite(found: re.Match[str]) -> str:
        keys = [key.removeprefix("@") for key in re.split(r";\s+", found[1])]
        return f"[{', '.join(str(numbers.setdefault(key, len(numbers) + 1)) for key in keys)}]"

    body = _CITATION.sub(cite, text)
    return (
        "\n".join([body, "", "**References**", "", *(f"{n}. {REFERENCES[key]}" for key, n in numbers.items())]) + "\n"
    )
