import collections
import pathlib

from absl.testing import absltest, parameterized

from preprocessing.importers import annotations, fitzpatrick17k, testing_files

# All labels of the collection.
_LABELS = """
    acanthosis nigricans; acne; acne vulgaris; acquired autoimmune bullous diseaseherpes
    gestationis; acrodermatitis enteropathica; actinic keratosis; allergic contact dermatitis;
    aplasia cutis; basal cell carcinoma; basal cell carcinoma morpheiform; becker nevus; behcets
    disease; calcinosis cutis; cheilitis; congenital nevus; dariers disease; dermatofibroma;
    dermatomyositis; disseminated actinic porokeratosis; drug eruption; drug induced pigmentary
    changes; dyshidrotic eczema; eczema; ehlers danlos syndrome; epidermal nevus; epidermolysis
    bullosa; erythema annulare centrifigum; erythema elevatum diutinum; erythema multiforme;
    erythema nodosum; factitial dermatitis; fixed eruptions; folliculitis; fordyce spots;
    granuloma annulare; granuloma pyogenic; hailey hailey disease; halo nevus; hidradenitis;
    ichthyosis vulgaris; incontinentia pigmenti; juvenile xanthogranuloma; kaposi sarcoma;
    keloid; keratosis pilaris; langerhans cell histiocytosis; lentigo maligna; lichen
    amyloidosis; lichen planus; lichen simplex; livedo reticularis; lupus erythematosus; lupus
    subacute; lyme disease; lymphangioma; malignant melanoma; melanoma; milia; mucinosis; mucous
    cyst; mycosis fungoides; myiasis; naevus comedonicus; necrobiosis lipoidica; nematode
    infection; neurodermatitis; neurofibromatosis; neurotic excoriations; neutrophilic
    dermatoses; nevocytic nevus; nevus sebaceous of jadassohn; papilomatosis confluentes and
    reticulate; paronychia; pediculosis lids; perioral dermatitis; photodermatoses; pilar cyst;
    pilomatricoma; pityriasis lichenoides chronica; pityriasis rosea; pityriasis rubra pilaris;
    porokeratosis actinic; porokeratosis of mibelli; porphyria; port wine stain; prurigo
    nodularis; psoriasis; pustular psoriasis; pyogenic granuloma; rhinophyma; rosacea;
    sarcoidosis; scabies; scleroderma; scleromyxedema; seborrheic dermatitis; seborrheic
    keratosis; solid cystic basal cell carcinoma; squamous cell carcinoma; stasis edema; stevens
    johnson syndrome; striae; sun damaged skin; superficial spreading melanoma ssm; syringoma;
    telangiectases; tick bite; tuberous sclerosis; tungiasis; urticaria; urticaria pigmentosa;
    vitiligo; xanthomas; xeroderma pigmentosum
"""


def _row(number, **cells):
    return {
        "md5hash": f"{number:032x}",
        "fitzpatrick_scale": "3",
        "fitzpatrick_centaur": "3",
        "label": "psoriasis",
        "nine_partition_label": "inflammatory",
        "three_partition_label": "non-neoplastic",
        "qc": "",
        "url": f"https://www.dermaamin.com/site/images/clinical-pic/p/{number}.jpg",
        "url_alphanum": f"httpwwwdermaamincomsiteimagesclinicalpicp{number}jpg.jpg",
        **cells,
    }


class Fitzpatrick17kTest(parameterized.TestCase):
    def _read(self, *rows):
        folder = pathlib.Path(self.create_tempdir().full_path)
        testing_files.write_table(folder / "fitzpatrick17k.csv", rows)
        layout = fitzpatrick17k.FORMAT
        return layout.read(folder, layout.mapping())

    def test_a_row(self):
        (entry,) = self._read(_row(7, label="lentigo maligna", qc="1 Diagnostic")).entries
        row = entry.photograph
        name = f"{7:032x}"
        self.assertEqual((row.case_id, row.patient_id, row.image_id, row.image), (name,) * 4)
        self.assertEqual((row.condition, row.fitzpatrick, row.row), ("Melanoma", 3, 2))
        self.assertEqual(dict(row.extra), _row(7, label="lentigo maligna", qc="1 Diagnostic"))
        self.assertEqual(entry.label, "lentigo maligna")

    @parameterized.parameters(
        ("4", "5", 4), ("-1", "5", 5), ("6", "-1", 6), ("-1", "-1", None), ("2.0", "", 2)
    )
    def test_skin_type(self, scale, centaur, expected):
        contents = self._read(_row(1, fitzpatrick_scale=scale, fitzpatrick_centaur=centaur))
        self.assertEqual(contents.entries[0].photograph.fitzpatrick, expected)

    def test_all_114_labels(self):
        labels = [" ".join(label.split()) for label in _LABELS.split(";")]
        self.assertLen(set(labels), 114)
        contents = self._read(*(_row(n, label=label) for n, label in enumerate(labels)))
        self.assertEmpty(contents.rejections)
        counts = collections.Counter(entry.photograph.condition for entry in contents.entries)
        self.assertEqual(
            counts,
            {
                "Other": 86,
                "Melanoma": 4,
                "Basal Cell Carcinoma": 3,
                "Melanocytic Nevus": 3,
                "Acne": 2,
                "Eczema": 2,
                "Psoriasis": 2,
                "Actinic Keratosis": 1,
                "Allergic Contact Dermatitis": 1,
                "Cyst": 2,
                "Folliculitis": 1,
                "Hidradenitis": 1,
                "SCC/SCCIS": 1,
                "SK/ISK": 1,
                "Scar Condition": 1,
                "Seborrheic Dermatitis": 1,
                "Urticaria": 1,
                "Vitiligo": 1,
            },
        )

    def test_rows_that_cannot_be_used(self):
        contents = self._read(
            _row(0),
            _row(1, qc="3 Wrongly labelled"),
            _row(2, fitzpatrick_scale="7"),
            _row(3, label="psoriasys"),
            _row(4, label=""),
            _row(5, md5hash=""),
        )
        self.assertLen(contents.entries, 1)
        self.assertEqual(
            [(one.row, one.stage, one.reason.split(";")[0]) for one in contents.rejections],
            [
                (3, "row", "qc: '3 Wrongly labelled'"),
                (4, "row", "skin type: '7' is not one of 1 to 6, I to VI, FST1 to FST6 or unknown"),
                (5, "label", "label 'psoriasys' is not known"),
                (6, "label", "label: the cell is empty"),
                (7, "row", "md5hash: the cell is empty"),
            ],
        )
        self.assertEqual(contents.rejections[0].image_id, f"{1:032x}")

    def test_agreement_of_the_two_services(self):
        scale, centaur = (1, 2, 3, 6, -1), (1, 3, 5, 6, 4)
        contents = self._read(
            *(
                _row(n, fitzpatrick_scale=one, fitzpatrick_centaur=other)
                for n, (one, other) in enumerate(zip(scale, centaur))
            )
        )
        kappa = annotations.cohen_kappa(list(zip(scale[:4], centaur[:4])), quadratic=True)
        self.assertEqual(
            contents.notes[0],
            "skin type, the two services: 4 cases with several annotators, 50% of pairs equal, "
            f"75% at most one apart, Cohen's kappa (quadratic weights) {kappa:.2f}",
        )
        self.assertIn("no patients are named", contents.notes[1])


if __name__ == "__main__":
    absltest.main()
