"""Data types of the plugin: the stroke record and the de-facing QC, in the notation of the type table."""

from __future__ import annotations

_Y = "enum(yes|no|unknown)"

CLINICAL = f"""
 event_no:integer record_status:enum(draft|complete|verified) source:enum(ehr|registry|trial|manual)
 age_years:integer sex:enum(F|M|X|U) prestroke_mrs:integer
 living_situation:enum(home|assisted|nursing|other|unknown)
 hypertension:{_Y} diabetes:{_Y} atrial_fibrillation:{_Y} hyperlipidemia:{_Y} coronary_disease:{_Y}
 heart_failure:{_Y} prior_stroke:{_Y} prior_tia:{_Y} peripheral_artery:{_Y}
 smoking:enum(never|former|current|unknown) antiplatelet:{_Y} statin:{_Y}
 anticoagulant:enum(none|vka|doac|heparin|other|unknown)
 onset_known:enum(witnessed|wake_up|unwitnessed) onset_to_door_min:integer seen_well_to_door_min:integer
 arrival:enum(direct|drip_and_ship|inhospital|unknown)
 prehosp_scale:enum(none|race|fast_ed|lams|other|unknown) prehosp_score:integer alarm_to_door_min:integer
 door_to_imaging_min:integer
 nihss_admission:integer nihss_24h:integer nihss_discharge:integer gcs_admission:integer
 sbp_admission:integer dbp_admission:integer glucose_mmol_l:float inr:float platelets_g_l:float
 creatinine_umol_l:float hba1c_percent:float weight_kg:float
 stroke_type:enum(ischemic|hemorrhagic|tia|sah|cvt|mimic|unknown) side
 occlusion_site:enum(none|ica_extra|ica_term|m1|m2|m3|aca|pca|basilar|vertebral|tandem|other|unknown)
 aspects:integer pc_aspects:integer collateral_score:integer
 collateral_scale:enum(tan|maas|acg_astin|other) core_ml:float penumbra_ml:float mismatch_ratio:float
 core_lab:{_Y} toast:enum(laa|ce|svo|oc|undetermined)
 ivt:{_Y} ivt_agent:enum(alteplase|tenecteplase|other) door_to_needle_min:integer
 evt:{_Y} door_to_groin_min:integer onset_to_groin_min:integer groin_to_recan_min:integer
 evt_passes:integer evt_technique:enum(stent_retriever|aspiration|combined|other)
 anaesthesia:enum(general|sedation|local|unknown) mtici:enum(0|1|2a|2b|2c|3) carotid_stent:{_Y}
 hemorrhage_ecass:enum(none|hi1|hi2|ph1|ph2) sich:{_Y} craniectomy:{_Y} infarct_24h_ml:float
 mrs_discharge:integer mrs_3m:integer mrs_12m:integer
 mrs_3m_mode:enum(visit|telephone|proxy|records|unknown) mrs_3m_days:integer death:{_Y}
 days_to_death:integer lost_followup:{_Y} remarks
"""
"""Members of ``lethe:clinicalData``: one record per subject and event, without any date."""

DEFACE_QC = f"""
 scan_id scan_type method method_version container_id workflow_id
 verdict:enum(pending|pass|fail|review) auto_verdict:enum(pass|fail|review)
 face_residual:enum(none|ears|eyes|nose|mouth|brow|several) brain_damage:enum(none|minor|major)
 face_voxels_removed:integer removed_ml:float brain_kept_percent:float residual_face_score:float
 affine_same:{_Y} header_clean:{_Y} input_sha256 output_sha256 reviewer reviewed_at reviewed_views remarks
"""
"""Members of ``lethe:defaceQcData``: one per scan and run."""

TABLE = (
    ("lethe:clinicalData", "xnat:subjectAssessorData", "ClinicalData", CLINICAL),
    ("lethe:defaceQcData", "xnat:imageAssessorData", "DefaceQc", DEFACE_QC),
)
"""Rows of the type table: name, base, root element, own members."""
